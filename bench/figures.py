"""What the rounds of a row come to: medians, ratios and their spread, in a table, as JSON, and plotted."""
import re
import shutil
import statistics
import subprocess

FIGURES = {"cpu": "CPU per I/O", "iops": "IOPS", "lat": "p50 latency"}


def figure(result, what):
    return {"cpu": result["cpu_us"], "iops": result["iops"], "lat": result["lat_us"]["p50"]}[what]


def spread(values):
    """(median, lower quartile, upper quartile)"""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def of_round(results, what, who):
    """Who's figure in one round, "a/b" as a ratio; None if somebody did not take part or did nothing."""
    values = [figure(results[name], what) if name in results else 0 for name in who.split("/")]
    if min(values) <= 0:
        return None
    return values[0] / values[1] if len(values) == 2 else values[0]


def ratios(rounds, what, of, against):
    """The ratio of each round in which both took part and did something."""
    pairs = [(of_round(r, what, of), of_round(r, what, against)) for r in rounds]
    return [a / b for a, b in pairs if a is not None and b is not None]


def verdict(what, middle, limit):
    if limit is None:
        return ""
    good = middle >= limit if what == "iops" else middle <= limit
    return "goal %s %g: %s" % (">=" if what == "iops" else "<=", limit, "met" if good else "MISSED")


def summary(row, results, ready):
    """One row's figures. results: a dict of each client's for each round; ready: what each client said after its login."""
    out = {"row": row.name, "text": row.text, "clients": {}, "ratios": [], "rounds": results}
    for name in results[0]:
        of = [r[name] for r in results]
        out["clients"][name] = {
            "iops": statistics.median(r["iops"] for r in of),
            "mbps": statistics.median(r["mbps"] for r in of),
            "cpu_us": statistics.median(r["cpu_us"] for r in of),
            "lat_us": {k: statistics.median(r["lat_us"][k] for r in of) for k in ("mean", "p50", "p99", "p999")},
            "rss_kib": of[-1]["rss_kib"],
        }
    for what, of, against, limit in row.goals:
        values = ratios(results, what, of, against)
        if values:
            middle, low, high = spread(values)
            out["ratios"].append({"figure": what, "of": of, "against": against, "median": middle, "q1": low, "q3": high,
                                  "rounds": len(values), "goal": limit, "verdict": verdict(what, middle, limit)})
    if row.memory and row.memory[0] in ready:
        who, sessions, limit = row.memory
        before, idle = ready[who]["rss_before_kib"], ready[who]["rss_idle_kib"]
        each = (idle - before) / sessions
        out["memory"] = {"of": who, "sessions": sessions, "before_kib": before, "idle_kib": idle, "each_kib": each, "goal": limit,
                         "verdict": verdict("rss", each, limit)}
    return out


# ---- text ----

def print_row(s):
    print("%s  [%s]" % (s["text"], s["row"]))
    for name, c in s["clients"].items():
        print("  %-16s %9.0f IOPS %8.1f MB/s %9.3f us CPU   latency us: mean %9.2f  p50 %9.2f  p99 %9.2f  p99.9 %9.2f   RSS %.1f MiB" % (
            name, c["iops"], c["mbps"], c["cpu_us"], c["lat_us"]["mean"], c["lat_us"]["p50"], c["lat_us"]["p99"], c["lat_us"]["p999"],
            c["rss_kib"] / 1024))
    for r in s["ratios"]:
        print("  %-12s %s : %s = %.2f (%.2f to %.2f)  %s" % (FIGURES[r["figure"]], r["of"], r["against"], r["median"], r["q1"],
                                                           r["q3"], r["verdict"]))
    if "memory" in s:
        m = s["memory"]
        print("  %-12s %s: RSS %d KiB before the logins, %d KiB after: %.1f KiB for each of %d sessions  %s" % (
            "memory", m["of"], m["before_kib"], m["idle_kib"], m["each_kib"], m["sessions"], m["verdict"]))


def short(n):
    """1234567 as 1.23 M"""
    for limit, unit in ((1e6, " M"), (1e3, " k")):
        if n >= limit:
            return "%.3g%s" % (n / limit, unit)
    return "%.3g" % n


def cell(c, latency):
    if c is None:
        return "-"
    if latency:
        return "%.3g us" % c["lat_us"]["p50"]
    return "%.3g us, %s IOPS" % (c["cpu_us"], short(c["iops"]))


def against(s, who, what):
    for r in s["ratios"]:
        if (r["figure"], r["of"]) == (what, who) and r["against"] == ("canned" if what == "lat" else "floor"):
            return "%.2f" % r["median"]
    return "-"


def tables(summaries):
    """The four clients side by side, then every goal, as Markdown."""
    lines = []
    plain = [s for s in summaries if "floor" in s["clients"] and "iskra" in s["clients"]]
    if plain:
        lines += ["", "CPU per I/O and IOPS; at QD 1 the median latency, and ratios to the canned client", "",
                  "| Work | Floor | Canned client | libiscsi | iskra | libiscsi / floor | iskra / floor |",
                  "| --- | --- | --- | --- | --- | --- | --- |"]
    for s in plain:
        latency = "QD 1," in s["text"] + ","
        cells = [cell(s["clients"].get(n), latency) for n in ("floor", "canned", "libiscsi", "iskra")]
        what = "lat" if latency else "cpu"
        lines.append("| %s | %s | %s | %s |" % (s["text"], " | ".join(cells), against(s, "libiscsi", what), against(s, "iskra", what)))
    goals = [(s, r) for s in summaries for r in s["ratios"] if r["goal"] is not None]
    memory = [s for s in summaries if s.get("memory", {}).get("goal") is not None]
    if goals or memory:
        lines += ["", "| Goal | Of | Median | Quartiles | Wanted |  |", "| --- | --- | --- | --- | --- | --- |"]
    for s, r in goals:
        wanted, _, met = r["verdict"][len("goal "):].partition(": ")
        lines.append("| %s | %s, %s to %s | %.2f | %.2f to %.2f | %s | %s |" % (s["text"], FIGURES[r["figure"]], r["of"], r["against"],
                                                                              r["median"], r["q1"], r["q3"], wanted, met))
    for s in memory:
        m = s["memory"]
        wanted, _, met = m["verdict"][len("goal "):].partition(": ")
        lines.append("| %d idle sessions | RSS for each, KiB | %.1f | | %s | %s |" % (m["sessions"], m["each_kib"], wanted, met))
    return "\n".join(lines)


# ---- plot ----

def plot(summaries, prefix):
    """Latency against IOPS over the depth, one curve for each client, as SVG and PNG."""
    if not shutil.which("gnuplot"):
        print("no plot: gnuplot is not there")
        return
    for op in ("read", "write"):
        points = {}
        for s in summaries:
            m = re.match(r"%s-4k-qd(\d+)$" % op, s["row"])
            for name, c in s["clients"].items() if m else ():
                points.setdefault(name, []).append((c["iops"], c["lat_us"]["p50"], int(m.group(1))))
        if not points:
            continue
        script = ["set logscale xy", "set xlabel 'IOPS'", "set ylabel 'median latency, us'", "set grid", "set key left top",
                  "set title '4 KiB random %s, QD 1 to 1024'" % op]
        for number, values in enumerate(points.values()):
            script.append("$d%d << EOD\n%s\nEOD" % (number, "\n".join("%g %g %d" % v for v in sorted(values, key=lambda v: v[2]))))
        curves = ", ".join("$d%d using 1:2 with linespoints title '%s', $d%d using 1:2:(sprintf('%%d', $3)) with labels offset 0,0.7 "
                           "notitle" % (i, n, i) for i, n in enumerate(points))
        for kind, terminal in (("svg", "svg size 800,600"), ("png", "pngcairo size 800,600")):
            script += ["set terminal " + terminal, "set output '%s-%s.%s'" % (prefix, op, kind), "plot " + curves]
        done = subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=False)
        print("plotted: %s-%s.svg, .png" % (prefix, op) if done.returncode == 0 else "no plot: gnuplot failed")
