"""Be Vietnam Pro (SIL Open Font License), for leaflets and charts."""

from pathlib import Path
from typing import Final

FONTS: Final = Path(__file__).parent
