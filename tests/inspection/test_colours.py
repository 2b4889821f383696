from itertools import pairwise

import pytest

from endash.inspection.colours import LEVELS, scale, scale_css


def lightness(colour):
    """CIE L* of an sRGB colour, 0 to 100."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    ]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


@pytest.mark.parametrize(("theme", "sign"), [("light", -1), ("dark", 1)])
def test_lightness_goes_one_way_so_that_order_is_seen_without_hue(theme, sign):
    found = [lightness(colour) for colour in scale(theme)]
    assert len(found) == LEVELS
    steps = [sign * (after - before) for before, after in pairwise(found)]
    assert min(steps) > 0.5
    assert sum(steps) > 70


def test_the_page_has_both_scales_and_paper_only_the_light_one():
    css = scale_css()
    assert css.count("--s0:") == 2
    assert "@media screen and (prefers-color-scheme:dark)" in css
    assert f".v{LEVELS - 1}{{" in css
