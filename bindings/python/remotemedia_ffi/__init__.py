"""An earlier name of `remotemedia.runtime`."""

from remotemedia.runtime import *  # noqa: F403
from remotemedia.runtime import __all__ as __all__
from remotemedia.runtime import __version__ as __version__
