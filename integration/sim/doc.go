// Package sim runs the control plane, its agents and the runners of test pods together in one process, in time that passes only when
// nothing is left to do, and lets everything go wrong that a seed says.
//
// What is real: the gRPC server and sessions of the agents (agentlink), dispatch, intake, the store on SQLite; in the agent link, admit,
// launch, watch with its informers, collect, outbox and tail; in the pod ship and spool. What is played: the API server with the
// controllers and the kubelet behind it, the network, the processes under test, and the clocks.
//
//	┌───────────────────────────────────────────────────────────────────────────────────────┐
//	│ clients ──► dispatch ─╮                                                               │
//	│ viewers ◄── store ◄───┴── points ◄── agentlink ◄── messages, wire ══ link ◄─► agent   │
//	│               ▲             │                                          │              │
//	│             SQLite        crash, stall, fail          API server ◄── points           │
//	│                                                           │                           │
//	│                                                        kubelet ──► ship ══► collect   │
//	└───────────────────────────────────────────────────────────────────────────────────────┘
//
// A seed decides what is started, which faults come when, and the fate of each message. What it does not decide is the order in which
// goroutines run within one moment, and the random waits of the program's own retries. So a seed that fails is run several times until it
// fails again: make sim SEED=n REPEAT=m.
package sim
