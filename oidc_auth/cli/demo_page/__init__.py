"""The web page of ``oidc-auth demo``. ``langgraph dev`` loads ``server`` and ``chat``.

It shows persons and their decisions to everyone on this machine. The users are samples, and the server listens on the
loopback address. Never use it in another server.
"""
