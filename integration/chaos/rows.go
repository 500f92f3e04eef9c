package chaos

import "time"

// Row is a row of the fault matrix.
type Row struct {
	ID, Name string
	// Ways are how this package injects the fault, each at every phase. None where Proofs are all there is.
	Ways []Way
	// Proofs are tests elsewhere that inject it.
	Proofs []Proof
}

// Way is one way to inject a fault. It strikes a World, by the test's own goroutine.
type Way struct {
	Name string
	// Hold is how long the fault lasts; longer ones are for long runs.
	Hold time.Duration
	// Begin lets it begin and returns what ends it. The site is that of the run that has come to the phase, as far as that is known.
	Begin func(w *World, s *site) (end func())
}

// Proof is a test elsewhere.
type Proof struct {
	Package, Test string
	// Shows is what of the row it shows.
	Shows string
}

// Rows is the fault matrix. F0 is none, for the others to be compared with.
func Rows() []Row {
	return []Row{
		{ID: "F0", Name: "none, to compare with", Ways: []Way{{"nothing", 0, func(*World, *site) func() { return func() {} }}}},
		{ID: "F1", Name: "agent is killed", Ways: agentDies(), Proofs: []Proof{
			{"integration/sim", "TestSeeds", "at any moment, down for up to 40 s"},
			{"integration/e2e", "TestKilled", "on a real cluster"},
		}},
		{ID: "F2", Name: "two agents of one identity", Ways: twoAgents(), Proofs: []Proof{
			{"integration/sim", "TestSeeds", "split brain"},
			{"agent/link", "TestLink_GoAway_TheLoserOfTwoAgentsStaysAway", "the older one stays away"},
		}},
		{ID: "F3", Name: "replicas are killed, frozen", Ways: replicasDie(), Proofs: []Proof{
			{"integration/e2e", "TestKilled", "the only one, on a real cluster"},
		}},
		{ID: "F4", Name: "Redis dies, hangs, forgets", Ways: redisFails(), Proofs: []Proof{
			{"controlplane/bus", "TestRedis_Lost", "hints come again"}, {"controlplane/bus", "TestRedis_HalfOpen", "a hung server is noticed"},
		}},
		{ID: "F5", Name: "PostgreSQL dies, hangs, refuses", Ways: postgresFails()},
		{ID: "F6", Name: "object storage fails", Ways: s3Fails(), Proofs: []Proof{
			{"controlplane/intake", "TestIntake_File_ArtifactIsStoredUnderItsDigest", "checksums are verified"},
		}},
		{ID: "F7", Name: "agent and control plane apart", Ways: partitions(), Proofs: []Proof{
			{"integration/sim", "TestSeeds", "partitions of up to a minute, half open"},
		}},
		{ID: "F8", Name: "slow and sliced connections", Ways: slowWires()},
		{ID: "F9", Name: "messages lost, doubled, reordered", Proofs: []Proof{
			{"integration/sim", "TestSeeds", "the fate of each message"}, {"integration/sim", "TestMutants", "bugs of that kind are found"},
		}},
		{ID: "F10", Name: "clocks jump", Proofs: []Proof{
			{"integration/sim", "TestSeeds", "clocks of control plane and agents jump by up to an hour"},
			{"agent/link", "TestLink_CountsTheTimeOfTheControlPlane", "expiry by the control plane's clock"},
			{"controlplane/app", "TestSchedule_ThreeReplicas", "due times are fired once"},
		}},
		{ID: "F11", Name: "slow, many, restless viewers", Ways: viewers(), Proofs: []Proof{
			{"controlplane/app", "TestRun_ViewersCostTheAgentNothing", "a thousand, of which some read nothing"},
		}},
		{ID: "F12", Name: "disks are full", Ways: fullDisks(), Proofs: []Proof{
			{"agent/runner/engine", "TestRun_DiskFull", "the spool"},
			{"integration/e2e", "TestFullDisk", "the control plane's disk, on a real cluster"},
			{"controlplane/blob", "TestDir_FullDisk", "files"},
		}},
		{ID: "F13", Name: "pods and nodes are lost", Proofs: []Proof{
			{"integration/e2e", "TestLosses", "evicted, out of memory, gone"}, {"integration/sim", "TestSeeds", "evictions, dead nodes"},
		}},
		{ID: "F14", Name: "API server fails", Ways: apiServerFails(), Proofs: []Proof{
			{"integration/sim", "TestSeeds", "away, stale reads, watches that are too old"},
			{"agent/watch", "TestWatcher_AsksTheAPIServerBeforeItConcludes", "no conclusion from a stale cache"},
		}},
		{ID: "F15", Name: "Jobs are deleted, cannot run", Proofs: []Proof{
			{"integration/e2e", "TestLosses", "each kind, with its reason within 10 s"},
			{"integration/e2e", "TestFaults", "what people are told"},
			{"integration/e2e", "TestAdmission", "admission is denied"},
		}},
		{ID: "F16", Name: "logs are rotated", Proofs: []Proof{
			{"integration/e2e", "TestBurst", "100 MB at once, against kubectl logs"},
			{"agent/tail", "TestTailer_Tail_TriesAgain", "the fallback goes on where it was"},
		}},
		{ID: "F17", Name: "hostile output", Proofs: []Proof{
			{"integration/e2e", "TestTorture", "no newline, NUL, ANSI, a GiB"}, {"ui/web/ansi", "FuzzDecoder_Line", "the page is safe"},
		}},
		{ID: "F18", Name: "hostile reports", Proofs: []Proof{
			{"controlplane/results/format", "TestParse_Hostile", "the corpus, bounded"}, {"controlplane/results/format/junit", "FuzzParse", "any bytes"},
		}},
		{ID: "F19", Name: "hostile artifacts", Proofs: []Proof{
			{"agent/runner/gather", "TestGather_Limits", "counts and sizes"},
			{"agent/runner/gather", "TestGather_Refused", "links, devices"},
			{"controlplane/intake", "FuzzIntake_File_Path", "any path"},
			{"controlplane/blob", "TestDir_FollowsNoLink", "nothing outside"},
		}},
		{ID: "F20", Name: "forged, expired, revoked tokens", Proofs: []Proof{
			{"controlplane/auth", "TestAuth_Agent", "tokens of agents"},
			{"controlplane/agentlink", "TestServer_EveryCallNeedsAnAgentsToken", "each call"},
			{"integration/agents", "TestRevoke", "open streams are cut"},
			{"controlplane/auth", "TestAuth_Bearer", "tokens of the API"},
		}},
		{ID: "F21", Name: "probes across tenants", Proofs: []Proof{
			{"controlplane/app", "TestProbes", "every call with every foreign id"}, {"ent/migrations", "TestRowSecurity_EveryTable", "every table"},
		}},
		{ID: "F22", Name: "requests forged by the server", Proofs: []Proof{
			{"controlplane/outbound", "TestClient_Corpus", "addresses in every form"},
			{"controlplane/outbound", "TestClient_Rebinding", "names that change"},
			{"controlplane/outbound", "TestClient_Redirects", "redirects"},
		}},
		{ID: "F23", Name: "overload", Ways: overload(), Proofs: []Proof{
			{"integration/bench", "BenchmarkCapacity", "a reconnect storm of thousands"},
			{"integration/bench", "BenchmarkNoisyTenant", "another tenant's p99"},
			{"controlplane/dispatch", "TestDispatcher_Quota", "quotas shed"},
		}},
		{ID: "F24", Name: "upgrades", Proofs: []Proof{
			{"integration/chaos", "TestRolling", "replicas are restarted one after the other under load"},
			{"integration/chaos", "TestMigrationKilled", "a replica is killed while it migrates"},
			{"controlplane/agentlink", "TestServer_Session_Refused", "agents of a protocol that is too old, or too new"},
			{"agent/link", "TestLink_PassesOnCancelAndRelease", "an agent ignores what a newer control plane says"},
			{"ent/migrations", "TestApply_KeepsRows", "migrations keep what is there"},
			{"integration/sim", "TestSeeds", "replicas are drained"},
		}},
		{ID: "F25", Name: "crash between two side effects", Proofs: []Proof{
			{"integration/sim", "TestPoints", "every point, with crash, stall and failure"},
		}},
		{ID: "F26", Name: "power loss", Ways: everythingDies(), Proofs: []Proof{
			{"integration/sim", "TestSeeds", "a node with its spool and its message"},
		}},
	}
}
