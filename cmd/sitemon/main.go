// Command sitemon watches websites and services.
//
// Without a subcommand it runs the daemon: it probes what sites.yaml says,
// follows every edit of that file, records each report once, and shows the
// outcome on a page. See "sitemon --help".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // the API takes time zones, also where the system has none

	"github.com/spf13/cobra"

	"sitemon/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it runs one command line and returns the exit
// status. Data goes to stdout, messages to stderr.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	root := newCommand(&app{environ: environ, out: stdout, err: messages{stderr}, log: stderr})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(messages{stderr})
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := 1
	if exit, ok := errors.AsType[exitError](err); ok {
		code = exit.code
	}
	if msg := err.Error(); msg != "" {
		fmt.Fprintln(messages{stderr}, "sitemon:", msg)
	}
	return code
}

// exitError ends the program with a status of its own. Its message may be empty:
// then everything has been said.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// exitWith makes an error end the program with a status of its own; nil stays nil.
func exitWith(code int, err error) error {
	if err == nil {
		return nil
	}
	return exitError{code, err}
}

// app is what every command needs.
type app struct {
	environ []string
	out     io.Writer // data
	err     io.Writer // messages, texts of others escaped
	log     io.Writer // stderr itself, for what does its own escaping
}

// settings reads flags, environment and files for a command, and says on stderr
// what is odd about them.
func (a *app) settings(cmd *cobra.Command) (config.Settings, error) {
	s, warnings, err := config.Load(cmd.Flags(), a.environ)
	for _, w := range warnings {
		fmt.Fprintln(a.err, "sitemon: warning:", w)
	}
	if err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	return s, nil
}

// runDaemon runs the daemon with the settings of a command line.
func (a *app) runDaemon(cmd *cobra.Command) error {
	s, err := a.settings(cmd)
	if err != nil {
		return err
	}
	return runDaemon(cmd.Context(), s, a.log)
}

const rootHelp = `SiteMon watches websites and services.

Without a subcommand it runs the daemon, which probes the sites of sites.yaml,
follows every edit of that file within a second, and serves a page and an API.`

const rootExample = `  sitemon init                       write a sites.yaml to start from
  sitemon                            run; the log says where the page is
  sitemon --role=monitor             probe only, and publish to Kafka ($KAFKA_BROKER, $POSTGRES_DSN)
  sitemon --role=writer              record what monitors publish, and serve the page
  sitemon check                      look the file over before it is used
  sitemon probe https://example.org  one probe, with everything it saw`

func newCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "sitemon", Short: "Watch websites and services", Long: rootHelp, Example: rootExample,
		Args: noCommand, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDaemon(cmd) },
	}
	root.SuggestionsMinimumDistance = 2
	config.Flags(root.PersistentFlags())
	root.AddCommand(
		a.checkCommand(), a.planCommand(), a.probeCommand(), a.statusCommand(), a.incidentsCommand(), a.reportCommand(),
		a.importCommand(), a.initCommand(), a.schemaCommand(), a.migrateCommand(), a.notifyCommand(), a.deadLettersCommand(), a.healthcheckCommand(), a.hashPasswordCommand(), a.versionCommand(),
	)
	root.AddCommand(a.formerCommands()...)
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.HasSubCommands() {
			cmd.SuggestionsMinimumDistance = root.SuggestionsMinimumDistance
			cmd.Args, cmd.RunE = noCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	return root
}

// helpCommand shows the help of a command, and refuses what is none.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about any command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if err := noCommand(cmd, rest); err != nil {
				return err
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// noCommand refuses a word that is no command, and names the one that was meant.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see '" + cmd.CommandPath() + " --help'"
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		hint = "did you mean " + strings.Join(s, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q: %s", args[0], hint)
}
