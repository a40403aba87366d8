"""A page that stands alone: no request, no script but its own, and every text escaped."""

import base64
import hashlib
import json
import re

import pytest

from dashboards.figures.front_points import front_points
from dashboards.report.front_page import figure_html

NAMES = [
    "<script>alert(1)</script>",
    'a "quoted" name',
    "two words",
    "emoji \U0001f680",
    "</script><img src=x>",
    "it's",
]


def scripts(page: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", page, re.DOTALL)


def test_the_policy_lets_only_the_pages_own_scripts_run_and_nothing_be_loaded(document, trials):
    page = figure_html(front_points(document, trials))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src 'none'" in policy
    hashes = [f"sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}" for one in scripts(page)]
    assert re.findall(r"'(sha256-[^']*)'", policy) == hashes
    assert len(hashes) == 2
    assert not re.search(r"<(script|link|img|iframe)[^>]* (src|href)=", page.replace(scripts(page)[0], ""))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_kind_is_text(document, trials, name):
    document["study"] = document["workload"] = name
    page = figure_html(front_points(document, trials))
    assert len(re.findall(r"<script", page.replace(scripts(page)[0], ""))) == 3, "the figures, Plotly and the drawing"
    shown = re.search(r"<title>(.*?)</title>", page)[1]
    assert "<" not in shown
    figures = json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])
    assert set(figures) == {"front"}


def test_the_page_has_title_device_date_and_headline(document, trials):
    page = figure_html(front_points({**document, "ended": "2026-11-30T12:22:16"}, trials))
    assert "<title>digits-1 (workload digits): 6 trials on cpu, 2026-11-30</title>" in page
    assert "Fastest within one accuracy point of the baseline: trial 17" in page
