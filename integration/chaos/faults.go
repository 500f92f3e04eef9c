package chaos

import (
	"syscall"
	"time"

	"github.com/seatrial/seatrial/integration/fleet"
)

const (
	short = time.Second
	long  = 5 * time.Second
)

// agentDies is F1.
func agentDies() []Way {
	dies := func(w *World, s *site) (end func()) {
		for _, a := range s.living() {
			s.kill(w.tb, a)
		}
		return func() { s.startAgent(w.tb) }
	}
	return []Way{{"killed", short, dies}, {"killed for long", long, dies}, {"frozen", long, func(w *World, s *site) func() {
		a := s.living()[0]
		a.signal(w.tb, syscall.SIGSTOP)
		return func() { a.signal(w.tb, syscall.SIGCONT) }
	}}}
}

// twoAgents is F2. The newest process stays.
func twoAgents() []Way {
	return []Way{
		{"second started", short, func(w *World, s *site) func() {
			old := s.living()[0]
			s.startAgent(w.tb)
			return func() { s.kill(w.tb, old) }
		}},
		{"first frozen and thawed", long, func(w *World, s *site) func() {
			old := s.living()[0]
			old.signal(w.tb, syscall.SIGSTOP)
			s.startAgent(w.tb)
			return func() {
				old.signal(w.tb, syscall.SIGCONT)
				s.kill(w.tb, old)
			}
		}},
	}
}

// replicasDie is F3.
func replicasDie() []Way {
	die := func(all bool) func(*World, *site) func() {
		return func(w *World, _ *site) func() {
			victims := w.planes[len(w.planes)-1:]
			if all {
				victims = w.planes
			}
			for _, p := range victims {
				p.End(w.tb, syscall.SIGKILL)
			}
			return func() { beginAll(w, victims) }
		}
	}
	return []Way{
		{"one killed", short, die(false)},
		{"all killed", short, die(true)},
		{"one frozen", long, func(w *World, _ *site) func() {
			p := w.planes[0]
			p.Signal(w.tb, syscall.SIGSTOP)
			return func() { p.Signal(w.tb, syscall.SIGCONT) }
		}},
		{"one restarted", 0, func(w *World, _ *site) func() {
			p := w.planes[0]
			p.End(w.tb, syscall.SIGTERM)
			return func() { p.Begin(w.tb) }
		}},
	}
}

func beginAll(w *World, planes []*fleet.Plane) {
	for _, p := range planes {
		p.Begin(w.tb)
	}
}

// redisFails is F4.
func redisFails() []Way {
	return []Way{
		{"killed", short, func(w *World, _ *site) func() {
			w.redis.Kill(w.tb)
			return func() { w.redis.Start(w.tb) }
		}},
		{"frozen", long, func(w *World, _ *site) func() {
			w.redis.Freeze(w.tb)
			return func() { w.redis.Thaw(w.tb) }
		}},
		{"flushed", 0, func(w *World, _ *site) func() {
			w.tellRedis("FLUSHALL")
			return func() {}
		}},
		{"full", short, func(w *World, _ *site) func() {
			w.tellRedis("CONFIG", "SET", "maxmemory", "1")
			return func() { w.tellRedis("CONFIG", "SET", "maxmemory", "0") }
		}},
		{"clients cut", 0, func(w *World, _ *site) func() {
			w.toRedis.cut()
			return func() { w.toRedis.mend(w.tb) }
		}},
	}
}

// postgresFails is F5.
func postgresFails() []Way {
	return []Way{
		{"killed", short, func(w *World, _ *site) func() {
			w.postgres.Kill(w.tb)
			return func() { w.postgres.Start(w.tb) }
		}},
		{"frozen", long, func(w *World, _ *site) func() {
			w.postgres.Freeze(w.tb)
			return func() { w.postgres.Thaw(w.tb) }
		}},
		{"restarted", 0, func(w *World, _ *site) func() {
			w.postgres.Stop(w.tb)
			return func() { w.postgres.Start(w.tb) }
		}},
		{"no connection left", short, func(w *World, _ *site) func() {
			w.tellPostgres("ALTER ROLE seatrial_test CONNECTION LIMIT 1")
			w.tellPostgres("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'seatrial_test'")
			return func() { w.tellPostgres("ALTER ROLE seatrial_test CONNECTION LIMIT -1") }
		}},
		{"connections cut", 0, func(w *World, _ *site) func() {
			w.toPostgres.cut()
			return func() { w.toPostgres.mend(w.tb) }
		}},
	}
}

// s3Fails is F6.
func s3Fails() []Way {
	spoiled := func(toxic, direction string, attributes map[string]any) func(*World, *site) func() {
		return func(w *World, _ *site) func() {
			w.toS3.spoil(w.tb, toxic, direction, attributes)
			return func() { w.toS3.clean(w.tb) }
		}
	}
	return []Way{
		{"killed", short, func(w *World, _ *site) func() {
			w.s3.Kill(w.tb)
			return func() { w.s3.Start(w.tb) }
		}},
		{"frozen", long, func(w *World, _ *site) func() {
			w.s3.Freeze(w.tb)
			return func() { w.s3.Thaw(w.tb) }
		}},
		{"slow", long, spoiled("bandwidth", up, map[string]any{"rate": 64})},
		{"cut in the middle of a file", short, spoiled("limit_data", up, map[string]any{"bytes": 20 << 10})},
		{"answers cut", short, spoiled("limit_data", down, map[string]any{"bytes": 100})},
	}
}

// partitions is F7.
func partitions() []Way {
	silent := func(directions ...string) func(*World, *site) func() {
		return func(w *World, s *site) func() {
			for _, d := range directions {
				s.wire.spoil(w.tb, "timeout", d, map[string]any{"timeout": 0})
			}
			return func() { s.wire.clean(w.tb) }
		}
	}
	return []Way{
		{"both ways", long, silent(up, down)},
		{"towards the control plane", long, silent(up)},
		{"towards the agent", long, silent(down)},
		{"refused", short, func(w *World, s *site) func() {
			s.wire.cut()
			return func() { s.wire.mend(w.tb) }
		}},
		{"reset", short, func(w *World, s *site) func() {
			s.wire.spoil(w.tb, "reset_peer", down, map[string]any{"timeout": 0})
			return func() { s.wire.clean(w.tb) }
		}},
	}
}

// slowWires is F8.
func slowWires() []Way {
	slow := func(toxic string, attributes map[string]any) func(*World, *site) func() {
		return func(w *World, s *site) func() {
			for _, d := range []string{up, down} {
				s.wire.spoil(w.tb, toxic, d, attributes)
			}
			return func() { s.wire.clean(w.tb) }
		}
	}
	return []Way{
		{"50 ms", long, slow("latency", map[string]any{"latency": 50, "jitter": 20})},
		{"500 ms", long, slow("latency", map[string]any{"latency": 500, "jitter": 200})},
		{"64 kB/s", long, slow("bandwidth", map[string]any{"rate": 64})},
		{"byte by byte", long, slow("slicer", map[string]any{"average_size": 1, "size_variation": 0, "delay": 10})},
		{"database 20 ms away", long, func(w *World, _ *site) func() {
			w.toPostgres.spoil(w.tb, "latency", down, map[string]any{"latency": 20, "jitter": 10})
			return func() { w.toPostgres.clean(w.tb) }
		}},
	}
}
