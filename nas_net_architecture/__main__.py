"""`python -m nas_net_architecture`: a NASNet cell search, with the options of `nas search`."""

from nas_core.cli import search_main

if __name__ == "__main__":
    search_main("nasnet")
