"""Trials on the nodes of a Ray cluster.

    RayExecutor -> bridge -> Node, an actor on each node -> ProcessExecutor -> a child per trial

Ray lives in the bridge, a process of its own: its signal handlers, its log lines and its way of
ending the process that has lost a cluster stay out of the search. Only `cluster` imports it, inside
functions.
"""
