package cmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

// sayArguments has every command say how it is used when it is given other arguments than it takes: cobra only counts them.
func sayArguments(c *cobra.Command) {
	for _, sub := range c.Commands() {
		sayArguments(sub)
	}
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return fmt.Errorf("%w; usage: %s", err, c.UseLine())
		}
		return nil
	}
}
