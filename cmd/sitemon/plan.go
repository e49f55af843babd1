package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/config"
)

func (a *app) planCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a reload of the sites file would change",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("plan takes the file by --sites: sitemon plan --sites %s", args[0])
			}
			return nil
		},
		Long: "Plan compares the sites file with what is stored in --data-dir, and shows what a reload\n" +
			"would add, change (key by key), reschedule and remove. It changes nothing, and may be\n" +
			"used while the daemon runs. Exit status: 0 no change, 2 changes, 1 error.",
		Example: "  sitemon plan\n  sitemon plan --sites new.yaml\n  sitemon plan --json | jq .changed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			plan, err := makePlan(cmd.Context(), s)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.printJSON(plan)
			} else {
				err = a.printPlan(plan)
			}
			if err == nil && !plan.Empty() {
				return exitError{code: 2}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	return cmd
}

// makePlan compares the sites file with the store.
func makePlan(ctx context.Context, s config.Settings) (sitemon.Plan, error) {
	content, err := readDocument(s)
	if err != nil {
		return sitemon.Plan{}, err
	}
	doc, _, err := content.Parse()
	if err != nil {
		return sitemon.Plan{}, fmt.Errorf("the sites file has errors, a reload would change nothing:\n%w", err)
	}
	stored, gen, err := storedSites(ctx, s)
	if err != nil {
		return sitemon.Plan{}, err
	}
	plan := sitemon.Diff(stored, doc.Sites)
	plan.Generation = gen.Number
	return plan, nil
}

// storedSites reads the sites from the store, where there is one.
func storedSites(ctx context.Context, s config.Settings) (_ []sitemon.Site, _ sitemon.Generation, err error) {
	db, err := openStored(ctx, s)
	if noStore(err) {
		return nil, sitemon.Generation{}, nil
	}
	if err != nil {
		return nil, sitemon.Generation{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return knownSites(ctx, db)
}

func (a *app) printPlan(p sitemon.Plan) error {
	paint := painter(a.out)
	var b strings.Builder
	for _, name := range p.Added {
		fmt.Fprintf(&b, "%s %s\n", paint(green, "+ add   "), name)
	}
	for _, c := range p.Changed {
		note := ""
		if c.Rescheduled {
			note = ", probed at once"
		}
		fmt.Fprintf(&b, "%s %s (%s%s)\n", paint(yellow, "~ change"), c.Name, strings.Join(c.Keys, ", "), note)
	}
	for _, name := range p.Removed {
		fmt.Fprintf(&b, "%s %s\n", paint(red, "- remove"), name)
	}
	fmt.Fprintf(&b, "%d to add, %d to change, %d to remove, %d unchanged\n", len(p.Added), len(p.Changed), len(p.Removed), p.Unchanged)
	_, err := fmt.Fprint(a.out, b.String())
	return err
}
