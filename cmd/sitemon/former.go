package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sitemon/config"
)

// formerCommands are the commands of the system that SiteMon takes over from. They
// do what they did, and name what to write now.
func (a *app) formerCommands() []*cobra.Command {
	former := func(name string, role config.Role) *cobra.Command {
		return &cobra.Command{
			Use: name, Hidden: true, Args: cobra.NoArgs,
			Short: fmt.Sprintf("The former name of sitemon --role=%s", role),
			RunE: func(cmd *cobra.Command, _ []string) error {
				fmt.Fprintf(a.err, "sitemon: %s is now: sitemon --role=%s\n", name, role)
				if f := cmd.Flags().Lookup("role"); !f.Changed {
					if err := cmd.Flags().Set("role", string(role)); err != nil {
						return err
					}
				}
				return a.runDaemon(cmd)
			},
		}
	}
	return []*cobra.Command{former("worker", config.RoleWriter), former("monitor-sites", config.RoleMonitor)}
}
