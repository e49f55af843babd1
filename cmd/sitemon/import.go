package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/config"
	"sitemon/importer"
)

// verified is how many of the imported sites --verify probes.
const verified = 20

func (a *app) importCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use: "import KIND FILE", Short: "Print a sites file made from another monitor's configuration",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 2:
				return errors.New("import takes a kind and a file: sitemon import gatus config.yaml")
			case !slices.Contains(importer.Kinds(), args[0]):
				return fmt.Errorf("there is no importer for %q; there are %s", args[0], strings.Join(importer.Kinds(), ", "))
			}
			return nil
		},
		Long: "Import reads the configuration of another monitor and prints a sites file with the same sites.\n" +
			"What it can't carry over goes to stderr, a line each; what it prints passes sitemon check.\n\n" +
			"KIND is one of " + strings.Join(importer.Kinds(), ", ") + ". FILE is - for stdin, or a folder whose *.yaml are read together.\n" +
			"For blackbox, FILE holds blackbox.yml and prometheus.yml, divided by a line ---.\n\n" +
			"Exit status: 0, also with losses; 1 if the file can't be read.",
		Example: "  sitemon import gatus config.yaml > sites.yaml\n" +
			"  sitemon import uptime-kuma --verify backup.json > sites.yaml\n" +
			"  { cat blackbox.yml; echo ---; cat prometheus.yml; } | sitemon import blackbox - > sites.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			content, err := readInput(cmd.InOrStdin(), args[1])
			if err != nil {
				return err
			}
			r, err := importer.Read(args[0], content)
			if err != nil {
				return err
			}
			doc, err := a.printImport(r, args[0], args[1])
			if err == nil && verify {
				a.verify(cmd.Context(), s, doc.Sites)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, fmt.Sprintf("probe up to %d of the sites once, and say on stderr how they are", verified))
	return cmd
}

// printImport prints the sites file, and what was lost. A site that check would
// refuse is lost, with what check says.
func (a *app) printImport(r *importer.Result, kind, name string) (sitemon.Document, error) {
	r.Keep(func(text []byte) error {
		_, err := parseImported(text)
		return err
	})
	from := filepath.Base(name)
	if name == "-" {
		from = "stdin"
	}
	header := fmt.Sprintf("Made by sitemon import %s from %s.", kind, from)
	text, err := r.Text(header)
	if err != nil {
		return sitemon.Document{}, err
	}
	doc, err := parseImported(text)
	if err != nil {
		return doc, fmt.Errorf("the sites file that was made is not valid, which is a fault of the importer:\n%w", err)
	}
	if _, err := a.out.Write(text); err != nil {
		return doc, fmt.Errorf("print the sites file: %w", err)
	}
	for _, l := range r.Losses {
		fmt.Fprintf(a.err, "lost: %s\n", shown(l.String()))
	}
	fmt.Fprintf(a.err, "sitemon: %s, %s could not be carried over\n", count(len(doc.Sites), "site"), count(len(r.Losses), "thing"))
	if names := variables(text); names != nil {
		fmt.Fprintf(a.err, "sitemon: the sites file needs the variables %s\n", strings.Join(names, ", "))
	}
	return doc, nil
}

func parseImported(text []byte) (sitemon.Document, error) {
	doc, _, err := config.Parse([]config.File{{Name: "sites.yaml", Content: text}}, config.ParseOptions{Source: "sites.yaml"})
	return doc, err
}

// verify probes a sample, evenly spread and all at once, and says in their order how
// they are.
func (a *app) verify(ctx context.Context, s config.Settings, sites []sitemon.Site) {
	step := max(1, (len(sites)+verified-1)/verified)
	lines := make([]string, (len(sites)+step-1)/step)
	var wg sync.WaitGroup
	for i := range lines {
		site := sites[i*step]
		wg.Go(func() {
			report, _ := probeOnce(ctx, s, &site)
			lines[i] = fmt.Sprintf("verify: %s is %s", shown(site.Name), report.Outcome)
			if report.Reason != "" {
				lines[i] += fmt.Sprintf(" (%s): %s", report.Reason, shown(report.Error))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil { // what was broken off says nothing
		return
	}
	for _, line := range lines {
		fmt.Fprintln(a.err, line)
	}
}
