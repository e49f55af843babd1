package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/config"
	"sitemon/store/postgres"
	"sitemon/store/sqlite"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE…]", Short: "Validate sites files as the daemon would",
		Long: "Check reads sites files, or folders of them, as the daemon would, and prints every\n" +
			"error at once as file:line:column: message, and as a warning what is allowed and seldom\n" +
			"meant. Without a file it checks that of --sites.\n" +
			"Exit status: 0 valid, 1 not.",
		Example: "  sitemon check\n  sitemon check sites.yaml staging/",
		RunE: func(cmd *cobra.Command, files []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				files = []string{s.Sites}
			}
			valid := true
			for _, f := range files {
				s.Sites = f
				valid = a.check(s) && valid
			}
			if !valid {
				return exitError{code: 1}
			}
			return nil
		},
	}
}

// check looks one document over and says what it found.
func (a *app) check(s config.Settings) (valid bool) {
	content, err := readDocument(s)
	if err != nil {
		fmt.Fprintln(a.err, "sitemon:", err)
		return false
	}
	content.opts.CheckChannels = true
	doc, warnings, err := content.Parse()
	for _, w := range warnings {
		fmt.Fprintf(a.err, "%s:%d:%d: warning: %s\n", w.File, w.Line, w.Column, w.Message)
	}
	if err != nil {
		fmt.Fprintln(a.err, err)
		if problems, ok := errors.AsType[sitemon.Problems](err); ok {
			fmt.Fprintf(a.err, "sitemon: %s is not valid: %s\n", s.Sites, count(len(problems), "error"))
		}
		return false
	}
	fmt.Fprintf(a.out, "%s is valid: %s\n", shown(s.Sites), count(len(doc.Sites), "site"))
	return true
}

// count writes a number of things: "1 site", "2 sites".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Write a commented sites.yaml to start from", Args: cobra.NoArgs,
		Long:    "Init writes a sites file with examples and explanations, at the place that --sites\nnames. A file that is there already is left alone.",
		Example: "  sitemon init\n  sitemon init --sites /etc/sitemon/sites.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(s.Sites, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s exists already and is left as it is", s.Sites)
			}
			if err != nil {
				return fmt.Errorf("write a sites file: %w", err)
			}
			_, err = f.Write(config.Template())
			if err := errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("write a sites file: %w", err)
			}
			fmt.Fprintf(a.err, "%s is written: edit it, then run 'sitemon'\n", s.Sites)
			return nil
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of sites.yaml, for editors", Args: cobra.NoArgs,
		Example: "  sitemon schema > sites.schema.json",
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(config.Schema())
			return err
		},
	}
}

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring the store's schema up to date", Args: cobra.NoArgs,
		Long:    "Migrate brings the tables of the store up to date. The daemon does this itself when\nit starts; this is for those who want it to happen at a moment of their own.",
		Example: "  sitemon migrate --data-dir /var/lib/sitemon",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			where, applied, err := a.migrate(cmd.Context(), s)
			if err != nil {
				return err
			}
			if applied == 0 {
				fmt.Fprintf(a.out, "%s is up to date\n", shown(where))
				return nil
			}
			fmt.Fprintf(a.out, "%s: %s applied\n", shown(where), count(applied, "migration"))
			return nil
		},
	}
}

// migrate brings the schema of the store that the settings name up to date.
func (a *app) migrate(ctx context.Context, s config.Settings) (where string, applied int, err error) {
	log := newLogger(a.log, s.Log)
	if s.Postgres.DSN != "" {
		applied, err = postgres.Migrate(ctx, s.Postgres.DSN.Reveal(), postgres.Options{Logger: log, SeedZone: s.SeedTimezone})
		return "the database", applied, err
	}
	unlock, err := lockDataDir(s.DataDir, config.Roles{config.RoleAll})
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	where = filepath.Clean(databasePath(s))
	applied, err = sqlite.Migrate(ctx, where, log)
	return where, applied, err
}
