package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sitemon"
	"sitemon/alerts"
	"sitemon/config"
)

func (a *app) notifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "notify", Short: "Try the ways on which alerts go out"}
	test := &cobra.Command{
		Use: "test CHANNEL", Short: "Send a test notification",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("test takes the name of one channel: sitemon notify test ops")
			}
			return nil
		},
		Long: "Test sends a notification over a channel of the sites file; no daemon has to run. With\n" +
			"--sites '' the channel is one that the store knows.\n" +
			"Exit status: 0 delivered, 1 not.",
		Example: "  sitemon notify test ops",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			source, channel, err := findChannel(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			sender := alerts.New(alerts.Options{Expander: config.NewExpander(s.Environ.Lookup, nil, nil), UserAgent: userAgent()})
			if err := sender.Send(cmd.Context(), testNotification(source, channel, time.Now())); err != nil {
				return fmt.Errorf("send a test notification over channel %q: %w", channel.Name, err)
			}
			fmt.Fprintf(a.out, "a test notification went out over channel %q\n", channel.Name)
			return nil
		},
	}
	cmd.AddCommand(test)
	return cmd
}

// testNotification says that a channel works.
func testNotification(source string, c sitemon.Channel, now time.Time) sitemon.Notification {
	return sitemon.Notification{
		ID: "test-" + now.UTC().Format("20060102T150405.000000"), Source: source, Channel: c.Name, Target: c.Target,
		Kind: sitemon.NotifyTest, Severity: sitemon.SeverityInfo, At: now.UTC(), Attempt: 1,
		Summary: fmt.Sprintf("this is how SiteMon tells channel %s of trouble", c.Name),
	}
}

// findChannel looks for a channel in the sites file, or where none is read in the
// store.
func findChannel(ctx context.Context, s config.Settings, name string) (source string, c sitemon.Channel, err error) {
	all := map[string]sitemon.Document{}
	if s.Sites == "" {
		db, err := openStored(ctx, s)
		if err != nil {
			return "", c, fmt.Errorf("look up channel %q: %w", name, err)
		}
		all, err = db.Documents(ctx)
		if err = errors.Join(err, db.Close()); err != nil {
			return "", c, fmt.Errorf("look up channel %q: %w", name, err)
		}
	} else {
		content, err := readDocument(s)
		if err != nil {
			return "", c, fmt.Errorf("look up channel %q: %w", name, err)
		}
		doc, _, err := content.Parse()
		if err != nil {
			return "", c, fmt.Errorf("the sites file has errors:\n%w", err)
		}
		all[doc.Source] = doc
	}
	var names []string
	for source, doc := range all {
		for _, c := range doc.Alerting.Channels {
			if c.Name == name {
				return source, c, nil
			}
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return "", c, fmt.Errorf("there is no channel %q: no channels are defined, alerting.channels in the sites file is the place for them", name)
	}
	slices.Sort(names)
	return "", c, fmt.Errorf("there is no channel %q; there are %s", name, strings.Join(names, ", "))
}
