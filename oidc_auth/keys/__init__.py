"""Signature keys of issuers: discovery, download, strength checks, selection and refresh."""
