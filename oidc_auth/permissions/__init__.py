"""Who is it, and what may they do? Pure rules over plain values: no server, no network, no clock."""
