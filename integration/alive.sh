#!/usr/bin/env bash
# Whether the process of a pid file runs and is the named program: the file outlives a crash, and its number may be another
# program's by now.
# usage: alive.sh PID_FILE PROGRAM
[ $# = 2 ] || { echo "usage: alive.sh PID_FILE PROGRAM" >&2; exit 2; }
pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${2:0:15}" ] # the kernel keeps 15 characters
