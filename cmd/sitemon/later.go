package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// laterCommands are words that are understood and refused: what other releases
// will do, and the commands of the system that SiteMon takes over from.
func laterCommands() []*cobra.Command {
	const alone = "a monitor and a writer of their own need Kafka and Postgres, which are not built yet; 'sitemon' alone does the work of both"
	messages := map[string]string{"worker": alone, "monitor-sites": alone}
	for _, name := range []string{"import", "incidents", "report", "notify", "dead-letters"} {
		messages[name] = "it is not built yet"
	}
	var all []*cobra.Command
	for name, message := range messages {
		all = append(all, &cobra.Command{
			Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error { return fmt.Errorf("%s: %s", name, message) },
		})
	}
	return all
}
