// Package operator is what the operator of an instance does on its machine: organizations, forgotten passwords, encryption keys, backups and
// profiles. It works on the database itself, beside control planes that run, and each change is on record.
package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seatrial/seatrial/controlplane/audit"
	"github.com/seatrial/seatrial/controlplane/auth"
	"github.com/seatrial/seatrial/controlplane/backup"
	"github.com/seatrial/seatrial/controlplane/fault"
	"github.com/seatrial/seatrial/controlplane/tenant"
)

// Store is the records of the instance.
type Store interface {
	audit.Store
	Organizations(ctx context.Context) ([]tenant.Organization, error)
	CreateOrganization(ctx context.Context, first tenant.First) error
	SetOrganizationState(ctx context.Context, name string, state tenant.State) (tenant.Organization, error)
	ResetPassword(ctx context.Context, organization, email, hash string) error
	ExportOrganization(ctx context.Context, of tenant.ID, take func(table string, row json.RawMessage) error) error
	DeleteOrganization(ctx context.Context, of tenant.ID, removed func(table string, rows int64)) error
	RenewSettings(ctx context.Context) (int, error)
	// StoredFiles calls take with the key of each file that there is a record of, and how many bytes it is stored as.
	StoredFiles(ctx context.Context, take func(key string, bytes int64) error) error
}

// Blobs is the files of the instance.
type Blobs interface {
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	DeleteAll(ctx context.Context, folder string) error
}

// Accounts makes credentials.
type Accounts interface {
	NewOrganization(ctx context.Context, name, email, password string) (auth.First, tenant.First, error)
	NewPassword(ctx context.Context) (password, hash string, err error)
	// RotateSigningKeys has new keys sign sessions and tokens of agents. What the keys before them have signed holds until it expires, or not
	// at all when they are forgotten.
	RotateSigningKeys(ctx context.Context, forget bool) error
}

// Keys is the ring of encryption keys.
type Keys interface {
	Grow() (id string, err error)
	IDs() []string
}

// Instance is what the commands work on.
type Instance struct {
	Store    Store
	Blobs    Blobs
	Accounts Accounts
	Keys     Keys
	Backup   backup.Instance
	Close    func() error
}

// Options are what the commands need of the program. Its functions are called once the flags are read.
type Options struct {
	Flags *pflag.FlagSet // of the control plane, for all commands
	Open  func(ctx context.Context) (Instance, error)
	// Socket is where the replica that runs over the data folder lets its operator look into it.
	Socket func() (string, error)
	// Box opens what was sealed with the encryption keys of the instance. It makes no key.
	Box func() (backup.Box, error)
	// Empty takes the place where an instance is to be restored, for this process alone until done is called.
	Empty    func(ctx context.Context) (target backup.Instance, done func() error, err error)
	Out, Err io.Writer
	Log      *slog.Logger
}

type commands struct {
	Options
	in Instance
}

// Run runs a command line, without the program's name.
func Run(ctx context.Context, args []string, o Options) error {
	root := Tree(o) //nolint:contextcheck // cobra carries the context in the command
	root.SetArgs(args)
	root.SetOut(o.Out)
	root.SetErr(o.Err)
	return root.ExecuteContext(ctx) //nolint:wrapcheck // it speaks for itself
}

// Tree returns all commands. To list them nothing but the flags is needed.
func Tree(o Options) *cobra.Command {
	c := &commands{Options: o}
	root := &cobra.Command{
		Use: "seatrial-controlplane", SilenceUsage: true, SilenceErrors: true,
		Short: "Operate an instance on its machine; without a command it serves",
		Long: "Commands for the operator of an instance. They work on the database that the flags or the environment name, beside control planes that " +
			"run, and each change is on record.",
	}
	root.PersistentFlags().AddFlagSet(o.Flags)
	organizations := &cobra.Command{Use: "org", Short: "Create, suspend, export and delete organizations"}
	organizations.AddCommand(c.list(), c.create(), c.suspend(), c.resume(), c.export(), c.remove())
	members := &cobra.Command{Use: "member", Short: "Help members who cannot sign in"}
	members.AddCommand(c.resetPassword())
	root.AddCommand(organizations, members, c.rotateKeys(), c.backup(), c.restore(), c.debug())
	return root
}

// do opens the instance, runs an action that goes on record under a name, and closes it.
func (c *commands) do(action string, run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		ctx := tenant.System(cmd.Context())
		if c.in, err = c.Open(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.in.Close()) }()
		if action == "" {
			return run(ctx, args)
		}
		ctx, note := audit.Begin(ctx, action, "")
		note.By(tenant.Viewer{Kind: tenant.KindSystem, Name: "operator " + whoami()})
		return audit.Finish(ctx, note, c.in.Store, c.Log, run(ctx, args))
	}
}

// whoami names the user of the machine.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

func (c *commands) print(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format+"\n", args...)
	return err //nolint:wrapcheck // there is nobody to tell
}

// organization finds one by name, and has what is done to it go to its record.
func (c *commands) organization(ctx context.Context, name string) (tenant.Organization, error) {
	all, err := c.in.Store.Organizations(ctx)
	if err != nil {
		return tenant.Organization{}, fmt.Errorf("list organizations: %w", err)
	}
	for _, o := range all {
		if o.Name == name {
			audit.Of(ctx).In(o.ID)
			audit.Of(ctx).On(audit.Object{Kind: "organization", ID: o.ID.String(), Name: o.Name})
			return o, nil
		}
	}
	return tenant.Organization{}, fault.New(fault.NotFound, "there is no organization %q; list them with: seatrial-controlplane org list", name)
}

func (c *commands) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List organizations and whether they may be used", Args: cobra.NoArgs,
		RunE: c.do("", func(ctx context.Context, _ []string) error {
			all, err := c.in.Store.Organizations(ctx)
			for _, o := range all {
				err = errors.Join(err, c.print("%-10s %s", o.State, o.Name))
			}
			return err
		}),
	}
}

func (c *commands) create() *cobra.Command {
	var email, name string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create an organization with its first owner", Args: cobra.ExactArgs(1),
		Example: "  seatrial-controlplane org create acme --owner ada@acme.example",
	}
	cmd.Flags().StringVar(&email, "owner", "", "e-mail of the first owner, who gets a password and a token, shown once (required)")
	_ = cmd.MarkFlagRequired("owner")
	run := c.do("CreateOrganization", func(ctx context.Context, _ []string) error {
		first, rows, err := c.in.Accounts.NewOrganization(ctx, name, email, "")
		if err != nil {
			return fmt.Errorf("make credentials: %w", err)
		}
		if err := c.in.Store.CreateOrganization(ctx, rows); err != nil {
			return fmt.Errorf("create the organization: %w", err)
		}
		return c.print("Created %s. This is shown once.\n\n  E-mail     %s\n  Password   %s\n  API token  %s", name, first.Email, first.Password, first.Token)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if name = args[0]; !nameShape(name) {
			return fault.New(fault.Invalid, "%q is no name for an organization: use small letters, digits and dashes, at most 63", name)
		}
		return run(cmd, args)
	}
	return cmd
}

// nameShape reports whether a name can stand in addresses.
func nameShape(name string) bool {
	for i, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r != '-' || i == 0) {
			return false
		}
	}
	return name != "" && len(name) <= 63
}

func (c *commands) suspend() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "suspend NAME", Short: "Let nobody of an organization in", Args: cobra.ExactArgs(1),
		Long: "Let nobody of an organization in: signing in and tokens are refused, and agents start nothing more. What runs comes to its end, and its " +
			"results are kept. seatrial-controlplane org resume lets them in again.",
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes on record")
	cmd.RunE = c.do("SuspendOrganization", func(ctx context.Context, args []string) error {
		audit.Of(ctx).Detail("reason", reason)
		return c.state(ctx, args[0], tenant.Suspended, "Suspended %s: nobody gets in, and nothing is started")
	})
	return cmd
}

func (c *commands) resume() *cobra.Command {
	return &cobra.Command{
		Use: "resume NAME", Short: "Let a suspended organization be used again", Args: cobra.ExactArgs(1),
		RunE: c.do("ResumeOrganization", func(ctx context.Context, args []string) error {
			return c.state(ctx, args[0], tenant.Active, "%s may be used again")
		}),
	}
}

func (c *commands) state(ctx context.Context, name string, state tenant.State, says string) error {
	if _, err := c.organization(ctx, name); err != nil {
		return err
	}
	if _, err := c.in.Store.SetOrganizationState(ctx, name, state); err != nil {
		return fmt.Errorf("change the state of the organization: %w", err)
	}
	return c.print(says, name)
}

func (c *commands) resetPassword() *cobra.Command {
	var of string
	cmd := &cobra.Command{
		Use: "reset-password E-MAIL", Short: "Give a member a new password, shown once, and end all their sessions", Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&of, "org", "default", "organization of the member")
	cmd.RunE = c.do("ResetPassword", func(ctx context.Context, args []string) error {
		if _, err := c.organization(ctx, of); err != nil {
			return err
		}
		audit.Of(ctx).On(audit.Object{Kind: "member", Name: args[0]})
		password, hash, err := c.in.Accounts.NewPassword(ctx)
		if err != nil {
			return fmt.Errorf("make a password: %w", err)
		}
		if err := c.in.Store.ResetPassword(ctx, of, args[0], hash); err != nil {
			return fmt.Errorf("set the password: %w", err)
		}
		return c.print("The password of %s is now %s\nIt is shown once. All sessions of this member have ended.", args[0], password)
	})
	return cmd
}

func (c *commands) rotateKeys() *cobra.Command {
	var fresh, signing, forget bool
	cmd := &cobra.Command{
		Use: "rotate-keys", Short: "Encrypt all stored secrets anew with the newest key", Args: cobra.NoArgs,
		Long: "Encrypt all stored secrets anew with the newest key, the first of the key file. With --new a fresh key is put there before. Control planes " +
			"that run read the file again when they meet the new key; with several machines, each needs the new file first. After this the old keys " +
			"can be removed from the file, once no backup needs them. With --signing it gives sessions and agents new signing keys instead; control " +
			"planes that run take them within half a minute, and what the keys before have signed holds until it expires.",
	}
	cmd.Flags().BoolVar(&signing, "signing", false, "exchange the keys that sign sessions and the tokens of agents instead")
	cmd.Flags().BoolVar(&forget, "forget-old", false, "with --signing: what older keys have signed is void at once; everybody signs in anew")
	cmd.Flags().BoolVar(&fresh, "new", false, "put a fresh key before the others of the key file")
	cmd.MarkFlagsMutuallyExclusive("new", "signing")
	cmd.RunE = c.do("", func(ctx context.Context, _ []string) error {
		entry := audit.Entry{Actor: audit.Actor{Kind: tenant.KindSystem, Name: "operator " + whoami()}, Action: "RotateKeys", Object: audit.Object{Kind: "instance"}}
		if signing || forget {
			return c.rotateSigning(ctx, entry, forget)
		}
		n, err := c.renew(ctx, fresh)
		entry.Outcome, entry.Details = audit.OutcomeOf(err), map[string]string{"key": c.in.Keys.IDs()[0], "secrets": fmt.Sprint(n)}
		if err = errors.Join(err, c.in.Store.AppendAudit(ctx, entry)); err != nil {
			return err
		}
		return c.print("Encrypted %d secrets anew; all are encrypted with the key %s", n, entry.Details["key"])
	})
	return cmd
}

func (c *commands) rotateSigning(ctx context.Context, entry audit.Entry, forget bool) error {
	entry.Action, entry.Details = "RotateSigningKeys", map[string]string{"forget-old": fmt.Sprint(forget)}
	err := c.in.Accounts.RotateSigningKeys(ctx, forget)
	entry.Outcome = audit.OutcomeOf(err)
	if err = errors.Join(err, c.in.Store.AppendAudit(ctx, entry)); err != nil {
		return err
	}
	if forget {
		return c.print("New keys sign sessions and tokens of agents; what older ones have signed is void within half a minute")
	}
	return c.print("New keys sign sessions and tokens of agents within half a minute; what the ones before have signed holds until it expires")
}

func (c *commands) renew(ctx context.Context, fresh bool) (int, error) {
	if fresh {
		if _, err := c.in.Keys.Grow(); err != nil {
			return 0, fmt.Errorf("add a key: %w", err)
		}
	}
	n, err := c.in.Store.RenewSettings(ctx)
	if err != nil {
		return n, fmt.Errorf("encrypt secrets anew: %w", err)
	}
	return n, nil
}
