package tenant

// State is whether an organization may be used.
type State string

// The states.
const (
	Active    State = "active"
	Suspended State = "suspended" // nobody gets in and nothing is started; what runs comes to its end
	Deleting  State = "deleting"  // as suspended, and its rows are going
)

// Organization is a tenant as the operator of the instance sees it.
type Organization struct {
	ID    ID
	Name  string
	State State
}
