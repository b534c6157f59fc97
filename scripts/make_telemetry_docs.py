"""Write docs/telemetry: the Grafana dashboard and the alert rules, from one list each.

    python -m scripts.make_telemetry_docs

A test compares the files with what this writes, and every name in them with what the gateway counts.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "telemetry"
_RATE = "[$__rate_interval]"


class Panel(NamedTuple):
    title: str
    queries: tuple[tuple[str, str], ...]  # PromQL, legend
    unit: str = "short"


class Alert(NamedTuple):
    name: str
    query: str
    for_: str
    severity: str
    summary: str
    runbook: str


def _by(name: str, *labels: str) -> str:
    return f"sum by ({', '.join(labels)}) (rate({name}{_RATE}))"


def _quantile(q: float, name: str) -> str:
    return f"histogram_quantile({q}, sum by (le, provider, operation) (rate({name}_bucket{_RATE})))"


PANELS = (
    Panel(
        "Requests", ((_by("cutover_requests_total", "operation", "provider"), "{{operation}} {{provider}}"),), "reqps"
    ),
    Panel(
        "Callers without speech",
        (
            (
                'sum by (operation) (rate(cutover_requests_total{outcome!="ok"}' + _RATE + "))"
                " / sum by (operation) (rate(cutover_requests_total" + _RATE + "))",
                "{{operation}}",
            ),
        ),
        "percentunit",
    ),
    Panel(
        "Provider outcomes",
        ((_by("cutover_provider_calls_total", "provider", "outcome"), "{{provider}} {{outcome}}"),),
        "reqps",
    ),
    Panel("Refusals", ((_by("cutover_refusals_total", "status", "code"), "{{status}} {{code}}"),), "reqps"),
    Panel(
        "Latency of requests",
        tuple(
            (_quantile(q, "cutover_request_seconds"), f"p{q:.0%} {{{{operation}}}} {{{{provider}}}}")
            for q in (0.5, 0.95)
        ),
        "s",
    ),
    Panel(
        "First audio",
        tuple(
            (_quantile(q, "cutover_first_audio_seconds"), f"p{q:.0%} {{{{operation}}}} {{{{provider}}}}")
            for q in (0.5, 0.95)
        ),
        "s",
    ),
    Panel(
        "Latency of providers",
        ((_quantile(0.95, "cutover_provider_call_seconds"), "p95% {{operation}} {{provider}}"),),
        "s",
    ),
    Panel(
        "Fallbacks",
        ((_by("cutover_fallbacks_total", "operation", "reason", "result"), "{{operation}} {{reason}} {{result}}"),),
        "reqps",
    ),
    Panel(
        "Breakers (2 is open)",
        (("max by (operation, provider) (cutover_breaker_phase)", "{{operation}} {{provider}}"),),
    ),
    Panel("Share of Qwen", (("max by (operation, of) (cutover_share)", "{{operation}} {{of}}"),), "percentunit"),
    Panel(
        "Switches",
        (
            ("max(cutover_killed)", "kill switch"),
            ("max(cutover_flags_unusable)", "flags unusable"),
            ("max(cutover_rollout_unreadable)", "rollout unreadable"),
        ),
    ),
    Panel(
        "Spend an hour", (("sum by (provider) (increase(cutover_spend_usd_total[1h]))", "{{provider}}"),), "currencyUSD"
    ),
    Panel("Billed units", ((_by("cutover_billed_units_total", "provider", "unit"), "{{provider}} {{unit}}"),)),
    Panel("Answers without a price", ((_by("cutover_unpriced_calls_total", "provider"), "{{provider}}"),), "reqps"),
    Panel(
        "Quota",
        (
            ("sum by (provider) (rate(cutover_provider_calls_total" + _RATE + ")) * 60", "{{provider}} used a minute"),
            ("max by (provider) (cutover_quota_calls_per_minute)", "{{provider}} allowed a minute"),
            ("sum by (provider) (rate(cutover_rate_limited_total" + _RATE + ")) * 60", "{{provider}} answered 429"),
        ),
    ),
    Panel(
        "Copies",
        (
            (_by("cutover_shadow_copies_total", "result"), "{{result}}"),
            ("sum(cutover_shadow_waiting)", "waiting"),
        ),
    ),
    Panel("Copies' cost today", (("sum(cutover_shadow_spent_usd)", "today"),), "currencyUSD"),
    Panel("Captures", ((_by("cutover_captures_total", "result"), "{{result}}"),), "reqps"),
    Panel(
        "Lost on the way",
        (
            ("sum(rate(cutover_spool_lost_total" + _RATE + "))", "outcomes"),
            ("sum(rate(cutover_log_lines_dropped_total" + _RATE + "))", "log lines"),
        ),
        "reqps",
    ),
    Panel("Under way", (("sum(cutover_requests_under_way)", "requests"),)),
)

ALERTS = (
    Alert(
        "CallersWithoutSpeech",
        'sum(increase(cutover_requests_total{outcome!="ok"}[5m])) > 5 and '
        'sum(rate(cutover_requests_total{outcome!="ok"}[5m])) / sum(rate(cutover_requests_total[5m])) > 0.072 and '
        'sum(rate(cutover_requests_total{outcome!="ok"}[1h])) / sum(rate(cutover_requests_total[1h])) > 0.072',
        "0m",
        "page",
        "Callers end without speech, 14.4 times what 99.5 % allows",
        "provider-outage",
    ),
    Alert("BreakerOpen", "max by (operation, provider) (cutover_breaker_phase) == 2", "2m", "page",
          "The path to {{ $labels.provider }} for {{ $labels.operation }} is shut", "provider-outage"),
    Alert("FallbacksFail", 'sum(increase(cutover_fallbacks_total{result="failed"}[15m])) > 5', "0m", "page",
          "Legacy does not answer in Qwen's place", "provider-outage"),
    Alert("Killed", "max(cutover_killed) == 1", "1m", "ticket", "The kill switch is on, nobody gets Qwen", "rollback"),
    Alert("FlagsUnusable", "max(cutover_flags_unusable) == 1", "1m", "page",
          "The flags cannot be used, everything goes to legacy", "rollback"),
    Alert("RolloutUnreadable", "max(cutover_rollout_unreadable) == 1", "1m", "page",
          "The rollout's state cannot be read, nobody gets Qwen", "rollback"),
    Alert("PriceUnknown", "sum by (provider) (increase(cutover_unpriced_calls_total[15m])) > 0", "0m", "ticket",
          "{{ $labels.provider }} answers calls that have no price", "spend-alarm"),
    Alert("RateLimited",
          "sum by (provider) (rate(cutover_rate_limited_total[15m])) / "
          "sum by (provider) (rate(cutover_provider_calls_total[15m])) > 0.01", "15m", "ticket",
          "More than 1 % of calls to {{ $labels.provider }} are answered 429", "spend-alarm"),
    Alert("CopiesDropped",
          'sum(rate(cutover_shadow_copies_total{result="dropped"}[1h])) / '
          '(sum(rate(cutover_shadow_copies_total{result="offered"}[1h])) - '
          'sum(rate(cutover_shadow_copies_total{result="thinned"}[1h]))) > 0.1', "1h", "ticket",
          "More than a tenth of the copies find no room", "canary-plan"),
    Alert("CopiesLost", 'sum(increase(cutover_shadow_copies_total{result="lost"}[1h])) > 10', "0m", "ticket",
          "Copies are lost: the disk cannot be written, or the process that carries them out ends (its log says why)",
          "canary-plan"),
    Alert("CapturesLost", 'sum(increase(cutover_captures_total{result="lost"}[1h])) > 0', "0m", "ticket",
          "Captured requests are lost: look at the disk", "provider-outage"),
    Alert("OutcomesLost", "sum(increase(cutover_spool_lost_total[15m])) > 0", "0m", "page",
          "The triggers do not see every outcome: look at the disk", "rollback"),
)  # fmt: skip


def grafana() -> str:
    panels: list[dict[str, Any]] = [
        {
            "id": number,
            "type": "timeseries",
            "title": panel.title,
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "gridPos": {"h": 8, "w": 8, "x": 8 * (number % 3), "y": 8 * (number // 3)},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend}
                for place, (query, legend) in enumerate(panel.queries)
            ],
        }
        for number, panel in enumerate(PANELS)
    ]
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    page = {
        "title": "cutover gateway",
        "uid": "cutover-gateway",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }
    return json.dumps(page, indent=2) + "\n"


def alerts() -> str:
    lines = ["# Made by python -m scripts.make_telemetry_docs", "groups:", "  - name: cutover", "    rules:"]
    for alert in ALERTS:
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(alert.query)}",
            f"        for: {alert.for_}",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {json.dumps(alert.summary)}",
            f"          runbook: docs/runbooks/{alert.runbook}.md",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "grafana.json").write_text(grafana())
    (FOLDER / "alerts.yml").write_text(alerts())


if __name__ == "__main__":
    main()
