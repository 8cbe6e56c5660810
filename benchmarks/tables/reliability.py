"""Tables of what kills, damage and a long time do."""

from __future__ import annotations

from .markdown import markdown, results

_KILLS = ("kills", "SIGKILL")
_PARTS = {
    "kill_fit": "`fit`, killed at random and while it writes checkpoints",
    "live_archive: live": "`live` from files, with `--resume`",
    "live_archive: archive": "`archive run`",
    "live_archive: merge": "`archive merge`",
    "live_seedlink": "`live` from a SeedLink server, with `--resume`",
    "machine: downloads": "downloads of a weight",
}


def soak() -> str:
    """Memory, computing time and picks of simulated stations, by part."""
    rows = []
    for part in results("live_soak").values():
        memory, pace = part["memory_MB"], part["cpu_seconds_per_station_hour"]
        slow = part["cpu_ms_per_batch_of_packets"]
        rows.append(
            [
                f"{part['stations']}",
                f"{part['simulated_hours']:.1f}",
                f"{part['packets']:,}",
                f"{memory['second_quarter']:.0f}, {memory['last_quarter']:.0f}",
                f"{pace['first_quarter']:.1f}, {pace['last_quarter']:.1f}",
                f"{slow['95 %']:.0f}, {slow['largest']:.0f}",
            ]
        )
    head = ["Stations", "Hours", "Packets", "Memory in MB, second and last quarter"]
    head += ["CPU s per station and hour, first and last quarter"]
    head += ["CPU ms per batch of packets, 95 % and largest"]
    return markdown(head, rows, left=0)


def kills() -> str:
    """How often each task was killed, and what did not hold."""
    found, rows = results("faults"), []
    for name, entry in found.items():
        count = sum(entry.get(key, 0) for key in _KILLS)
        if count:
            command = name.removeprefix("signals: ")
            label = _PARTS.get(name, f"`{command}`, also by SIGTERM and Ctrl-C")
            rows.append([label, str(count), str(len(entry["faults"]))])
    total = sum(int(row[1]) for row in rows)
    rows.append(["all", str(total), str(sum(int(row[2]) for row in rows))])
    return markdown(["Task", "SIGKILL", "Failures"], rows)


def damage() -> str:
    """Damaged files by reader."""
    rows = [
        [
            name.removeprefix("fuzz_readers: "),
            str(e["files"]),
            str(e["refused"]),
            str(len(e["faults"])),
        ]
        for name, e in results("faults").items()
        if name.startswith("fuzz_readers")
    ]
    return markdown(["Reader", "Damaged files", "Refused", "Failures"], rows)
