#!/usr/bin/env python3
"""`iskra trace` against the embedded target, compared with committed files (times left out). TAP.

    test_trace.py PROGRAM GOLDEN_DIR [--update]
"""

import difflib
import os
import re
import subprocess
import sys
import tempfile

ISKRA, GOLDEN = sys.argv[1:3]
UPDATE = "--update" in sys.argv
NAME = "iqn.2026-11.io.iskra:golden"
CASES = [
    # file, what the target is told, what is traced, keys of the URL
    ("login_with_bind_conn", [], ["login"], ""),
    ("read_with_status_in_the_last_data_in", [], ["read", "--length", "4096"], ""),
    ("read_with_a_separate_scsi_response", ["--separate-status"], ["read", "--length", "4096"], ""),
    # No data with the command; the target asks for all of it at once and takes 4 KiB a PDU.
    ("write_with_r2t", ["--max-recv", "4096"], ["write", "--length", "8192"], "?immediate_data=no&initial_r2t=yes"),
    ("write_with_immediate_data", [], ["write", "--length", "4096"], ""),
    ("login_with_mutual_chap", ["--user", "golden", "--password-file", "OURS", "--mutual-user", "disk", "--mutual-password-file", "THEIRS",
                                "--chap", "sha3-256"], ["login"],
     "?user=golden&auth=sha3-256&password_file=OURS&target_user=disk&target_password_file=THEIRS&header_digest=crc32c&data_digest=crc32c"),
    # Sent since the last look, then pinged for a sign of life; half a second before the third look the answer comes.
    ("timeout_that_resets_the_timer", ["--fault", "delay=2500ms:data-in(read)#1"], ["read", "--length", "4096"], "?timeout=1"),
    # The time is up, and the answer is in before the verdict.
    ("timeout_that_is_handled", ["--fault", "delay=300ms:data-in(read)#1"], ["read", "--length", "4096", "--race"], ""),
    # Without pings the second look finds it guilty. The target is through with it, so that its abort is refused: a LUN reset,
    # TEST UNIT READY until the unit attention is told, and it is sent again.
    ("timeout_that_is_not_handled", ["--fault", "drop:data-in(read)#1"], ["read", "--length", "4096"],
     "?timeout=0.5&noop_interval=0&noop_timeout=0"),
]
SECRETS = {"OURS": "golden-secret-of-ours", "THEIRS": "golden-secret-of-theirs"}
# Two numbers are drawn for CHAP, an identifier on each side, and with one, two or three digits they make text of other lengths.
# Of so many runs at least one has the length of the golden file, but for one time in a million.
RUNS = {"login_with_mutual_chap": 30}
# What the notes and the specification's sequence diagrams demand, in this order, whatever else is between.
ORDER = {
    "login_with_bind_conn": [
        "create_session", "create_conn", "bind_conn", "conn_bind", "set_callbacks", "hdr_recv_prep", "set_param",
        "login_request", "send_pdu", "xmitworker", "xmit_task", "pdu_xmit", "data_ready", "read_sock", "recv",
        "recv_buf", "hdr_recv_done", "hdr_dissect", "data_recv_prep", "data_recv_done", "complete_pdu", "recv_pdu",
        "login_response", "set_param", "start_conn"],
    "login_with_mutual_chap": [
        "bind_conn", "login_request", "send_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "recv_pdu", "login_response",
        "login_request", "send_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "recv_pdu", "login_response",
        "login_request", "send_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "recv_pdu", "login_response",
        "login_request", "send_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "recv_pdu", "login_response",
        "set_param", "start_conn"],
    "read_with_status_in_the_last_data_in": [
        "execute_rq_nowait", "run_queue", "run_queue_uncond", "request_fn", "start_request", "add_timer",
        "dispatch_cmd", "queuecommand", "xmitworker", "prep_scsi_cmd_pdu", "xmit_task", "pdu_xmit", "data_ready",
        "read_sock", "recv", "recv_buf", "segment_recv", "segment_done", "hdr_recv_done", "hdr_dissect",
        "itt_to_ctask", "seek_sg", "process_data_in", "complete_pdu", "complete_task", "scsi_done",
        "complete_request", "hdr_recv_prep", "softirq_done", "decide_disposition", "finish_command",
        "io_completion", "done"],
    "read_with_a_separate_scsi_response": [
        "execute_rq_nowait", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "xmitworker",
        "prep_scsi_cmd_pdu", "data_ready", "recv", "hdr_dissect", "seek_sg", "process_data_in", "hdr_recv_prep",
        "hdr_recv_done", "hdr_dissect", "complete_pdu", "complete_task", "scsi_done", "softirq_done",
        "decide_disposition", "done"],
    "write_with_r2t": [
        "execute_rq_nowait", "request_fn", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "xmitworker",
        "prep_scsi_cmd_pdu", "xmit_task", "pdu_xmit", "data_ready", "hdr_dissect", "itt_to_ctask", "r2t_rsp", "hdr_recv_prep",
        "xmitworker", "prep_data_out_pdu", "xmit_task", "prep_data_out_pdu", "xmit_task", "pdu_xmit", "data_ready", "hdr_dissect",
        "complete_pdu", "complete_task", "scsi_done", "softirq_done", "decide_disposition", "io_completion", "done"],
    "timeout_that_resets_the_timer": [
        "execute_rq_nowait", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "pdu_xmit",
        "rq_timed_out_timer", "timeout_work", "check_expired", "rq_timed_out", "times_out", "eh_cmd_timed_out", "eh_reset_timer", "add_timer",
        "rq_timed_out_timer", "timeout_work", "check_expired", "rq_timed_out", "times_out", "eh_cmd_timed_out", "eh_reset_timer", "add_timer",
        "xmitworker", "prep_mgmt_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "complete_task", "scsi_done", "softirq_done",
        "decide_disposition", "done"],
    "timeout_that_is_handled": [
        "execute_rq_nowait", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "pdu_xmit", "rq_timed_out_timer", "timeout_work",
        "check_expired", "data_ready", "hdr_dissect", "complete_pdu", "complete_task", "scsi_done", "rq_timed_out", "times_out",
        "eh_cmd_timed_out", "eh_handled", "softirq_done", "decide_disposition", "io_completion", "done"],
    "timeout_that_is_not_handled": [
        "execute_rq_nowait", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "pdu_xmit",
        "rq_timed_out_timer", "timeout_work", "check_expired", "rq_timed_out", "times_out", "eh_cmd_timed_out", "eh_reset_timer", "add_timer",
        "rq_timed_out_timer", "timeout_work", "check_expired", "rq_timed_out", "times_out", "eh_cmd_timed_out", "eh_not_handled",
        "xmitworker", "prep_mgmt_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "complete_task",
        "xmitworker", "prep_mgmt_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "complete_task", "scsi_done",
        "queuecommand", "prep_scsi_cmd_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "complete_task",
        "queuecommand", "prep_scsi_cmd_pdu", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "complete_task",
        "request_fn", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "pdu_xmit", "data_ready", "complete_pdu",
        "scsi_done", "softirq_done", "decide_disposition", "done"],
    "write_with_immediate_data": [
        "execute_rq_nowait", "start_request", "add_timer", "dispatch_cmd", "queuecommand", "xmitworker", "prep_scsi_cmd_pdu",
        "xmit_task", "pdu_xmit", "data_ready", "hdr_dissect", "complete_pdu", "complete_task", "scsi_done", "softirq_done",
        "decide_disposition", "done"],
}


# The queue's timer may still run for a command of the login: it finds nothing to do, at a time that nobody knows.
EARLY_LOOK = re.compile(r"^.*rq_timed_out_timer.*\n.*timeout_work.*\n.*check_expired.*\n(?=.*rq_timed_out_timer)", re.M)


def trace(target_args, trace_args, keys):
    """What `iskra trace` prints, and what it complains of."""
    env = dict(os.environ, ISKRA_INITIATOR_NAME="iqn.2026-11.io.iskra:trace")
    target = subprocess.Popen([ISKRA, "target", "--listen", "127.0.0.1:0", "--name", NAME, "--ram", "1M"] + target_args,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        address = target.stdout.readline().decode().split()[-1]
        url = "iscsi://%s/%s/0%s" % (address, NAME, keys)
        done = subprocess.run([ISKRA, "trace", url] + trace_args + ["--notes", "--no-times"], env=env, timeout=30,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return EARLY_LOOK.sub("", done.stdout.decode()), done.stderr.decode()
    finally:
        target.terminate()
        target.wait(10)


def lengths(text):
    """Of all PDUs."""
    return [int(n) for n in re.findall(r"pdu-(?:in|out) .* len (\d+)", text)]


def golden_trace(name, target_args, trace_args, keys, path):
    """The trace, and what the golden file says, which is written first if that is asked for."""
    with tempfile.TemporaryDirectory() as folder:
        def fill_in(text):
            for word, secret in SECRETS.items():
                with open(os.path.join(folder, word), "w", encoding="ascii") as f:
                    f.write(secret + "\n")
                text = text.replace(word, os.path.join(folder, word))
            return text

        def run():
            return trace([fill_in(arg) for arg in target_args], trace_args, fill_in(keys))

        if UPDATE:  # the longest: both identifiers have three digits
            got = max((run()[0] for _ in range(RUNS.get(name, 1))), key=lambda text: sum(lengths(text)))
            with open(path, "w") as f:
                f.write(got)
        with open(path) as f:
            want = f.read()
        for _ in range(RUNS.get(name, 1)):
            got, complaint = run()
            if lengths(got) == lengths(want):
                break
        return got, want, complaint


def secret_of(text):
    """What no trace may show: a secret, or a value of CHAP."""
    found = re.search("|".join(list(SECRETS.values()) + ["CHAP_[A-Z]=", "0x[0-9a-fA-F]{9,}"]), text)
    return found.group(0) if found else None


def first_missing(text, wanted):
    """The first step that does not come after the one before it, or None."""
    words = [re.split(r"\s+", line.strip() + "  ")[1] for line in text.splitlines()]
    at = 0
    for step in wanted:
        while at < len(words) and words[at] != step:
            at += 1
        if at == len(words):
            return step
        at += 1
    return None


def main():
    print("1..%d" % (3 * len(CASES)))
    failed = count = 0
    for name, target_args, trace_args, keys in CASES:
        got, want, complaint = golden_trace(name, target_args, trace_args, keys, os.path.join(GOLDEN, name + ".txt"))
        missing = first_missing(got, ORDER[name])
        for ok, what, detail in (
                (got == want, "trace_of_%s_is_the_golden_file" % name,
                 complaint + "\n".join(difflib.unified_diff(want.splitlines(), got.splitlines(), "golden", "got", "", "", 1))),
                (missing is None, "steps_of_%s_come_in_the_order_of_the_notes" % name, "out of order: %s" % missing),
                (secret_of(got) is None, "trace_of_%s_tells_no_secret" % name, "it shows %s" % secret_of(got))):
            count += 1
            failed += not ok
            print("%s %d - %s" % ("ok" if ok else "not ok", count, what))
            for line in "" if ok else detail.splitlines():
                print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
