package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
		Use: "import KIND FILE", Short: "Print a sites file made from another monitor's configuration", Args: cobra.ExactArgs(2),
		Long: "Import reads the configuration of another monitor and prints a sites file with the same sites.\n" +
			"What it can't carry over goes to stderr, a line each; what it prints passes sitemon check.\n\n" +
			"KIND is one of " + strings.Join(importer.Kinds(), ", ") + ". FILE is - for stdin.\n" +
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

func readInput(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		content, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("read stdin: %w", err)
		}
		return content, nil
	}
	return os.ReadFile(name)
}

// printImport prints the sites file, and what was lost. A site that check would
// refuse is lost, with what check says.
func (a *app) printImport(r *importer.Result, kind, name string) (sitemon.Document, error) {
	r.Keep(func(text []byte) error {
		_, err := parseImported(text)
		return err
	})
	header := fmt.Sprintf("Made by sitemon import %s from %s.", kind, filepath.Base(name))
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
		fmt.Fprintf(a.err, "lost: %s\n", l)
	}
	fmt.Fprintf(a.err, "sitemon: %d sites, %d things could not be carried over\n", len(doc.Sites), len(r.Losses))
	return doc, nil
}

func parseImported(text []byte) (sitemon.Document, error) {
	doc, _, err := config.Parse([]config.File{{Name: "sites.yaml", Content: text}}, config.ParseOptions{Source: "sites.yaml"})
	return doc, err
}

// verify probes a sample, evenly spread.
func (a *app) verify(ctx context.Context, s config.Settings, sites []sitemon.Site) {
	step := max(1, (len(sites)+verified-1)/verified)
	for i := 0; i < len(sites) && ctx.Err() == nil; i += step {
		site := sites[i]
		report, _ := probeOnce(ctx, s, &site)
		why := ""
		if report.Reason != "" {
			why = fmt.Sprintf(" (%s): %s", report.Reason, report.Error)
		}
		fmt.Fprintf(a.err, "verify: %s is %s%s\n", site.Name, report.Outcome, why)
	}
}
