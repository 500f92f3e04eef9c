// Package chaos runs Seatrial as it is shipped, in processes of its own, and lets everything around and inside it fail.
//
//	┌────────────────────────────────────────────────────────────────────────────────────────────┐
//	│ clients, viewers ──────────────► replica ─┬─ wire ─► PostgreSQL                             │
//	│                                  replica ─┼─ wire ─► Redis                                  │
//	│ agent ══ wire ══ balancer ═════► replica ─┴─ wire ─► S3                                     │
//	│   │  ╰──► played API server ◄── played kubelet ──► runner's delivery ══► agent              │
//	└────────────────────────────────────────────────────────────────────────────────────────────┘
//
// What is real: the control plane, the agent, PostgreSQL, Redis, the S3 server and the TCP connections, each of which passes a wire
// (toxiproxy) that can be cut, slowed or made half open; and in the pods what delivers logs, results and files. What is played: the API
// server, the controllers and the kubelet, and the process under test, which outlive the agent as they do in a cluster.
//
// A fault is injected when a run has come to a phase: that run stands still there until the fault has begun. Everybody writes down what
// they have seen, and package history judges it. See Rows for what is injected, and for where the faults are tested that need a cluster.
package chaos
