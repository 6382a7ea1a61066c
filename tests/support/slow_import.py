"""A module that takes for ever to import, as Keras does on a loaded machine."""

import time

time.sleep(60)
