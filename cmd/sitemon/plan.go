package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sitemon"
)

func (a *app) planCommand() *cobra.Command {
	var asJSON bool
	var api string
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what a reload of the sites file would change",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("plan takes the file by --sites: sitemon plan --sites %s", args[0])
			}
			return nil
		},
		Long: "Plan compares the sites file with what is stored, in --data-dir or in Postgres, and shows\n" +
			"what a reload would add, change (key by key), reschedule and remove. With --api it compares\n" +
			"the file with what a daemon elsewhere runs; where nothing is stored it asks the daemon at\n" +
			"--listen. It changes nothing and sends nothing of the file.\n\n" +
			"No daemon tells credentials that are written out in its file. Sites that have some, and look\n" +
			"the same otherwise, are told as unsure unless the two files are the same byte for byte.\n\n" +
			"Exit status: 0 no change, 2 changes, or sites that are unsure, 1 error.",
		Example: "  sitemon plan\n  sitemon plan --sites new.yaml\n  sitemon plan --api https://monitor.example --json | jq .changed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			plan, err := a.makePlan(cmd.Context(), s, api)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.printJSON(plan)
			} else {
				err = a.printPlan(&plan)
			}
			if err == nil && (!plan.Empty() || len(plan.Undecided) > 0) {
				return exitError{code: 2}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the plan as JSON")
	cmd.Flags().StringVar(&api, "api", "", "address of a daemon; $SITEMON_TOKEN is a token for it")
	return cmd
}

func (a *app) printPlan(p *planned) error {
	paint := painter(a.out)
	var b strings.Builder
	for _, name := range p.Added {
		fmt.Fprintf(&b, "%s %s\n", paint(green, "+ add   "), shown(name))
	}
	for _, c := range p.Changed {
		note := ""
		if c.Rescheduled {
			note = " (probed at once)"
		}
		fmt.Fprintf(&b, "%s %s%s\n", paint(yellow, "~ change"), shown(c.Name), note)
		for i, key := range c.Keys {
			change := sitemon.KeyChange{Key: key}
			if i < len(c.Values) {
				change = c.Values[i]
			}
			fmt.Fprintf(&b, "           %s\n", shown(keyLine(change)))
		}
	}
	for _, name := range p.Removed {
		fmt.Fprintf(&b, "%s %s\n", paint(red, "- remove"), shown(name))
	}
	for _, r := range p.Refused {
		fmt.Fprintf(&b, "%s %s (belongs to %s)\n", paint(red, "! refuse"), shown(r.Name), shown(r.Owner))
	}
	for _, name := range p.Undecided {
		fmt.Fprintf(&b, "%s %s (has credentials, which the daemon tells nobody)\n", paint(yellow, "? unsure"), shown(name))
	}
	fmt.Fprintf(&b, "%d to add, %d to change, %d to remove, %d unchanged", len(p.Added), len(p.Changed), len(p.Removed), p.Unchanged)
	if n := len(p.Refused); n > 0 {
		fmt.Fprintf(&b, ", %d refused", n)
	}
	if n := len(p.Undecided); n > 0 {
		fmt.Fprintf(&b, ", %d unsure", n)
	}
	_, err := fmt.Fprintln(a.out, b.String())
	return err
}

// keyLine says what became of a key, in a line without credentials.
func keyLine(c sitemon.KeyChange) string {
	switch {
	case c.Before == c.After: // both are hidden, or cut before they differ
		return c.Key + ": another value, which is not shown"
	case c.Before == "":
		return c.Key + ": " + c.After + ", new"
	case c.After == "":
		return c.Key + ": " + c.Before + ", gone"
	}
	return c.Key + ": " + c.Before + " → " + c.After
}
