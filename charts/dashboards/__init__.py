"""The Grafana dashboards, written as code: `make dashboards` writes the chart's JSON files from it.

One file per dashboard, each a `board()`; `promql` has the shapes that their queries share, `panels` what their panels
look like, `frame` what surrounds every dashboard, `limits` the figures at which a rule fires.
"""
