package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sitemon/config"
)

// healthTimeout is how long a daemon may take to say that it lives.
const healthTimeout = 4 * time.Second

func (a *app) healthcheckCommand() *cobra.Command {
	var ready bool
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a running daemon whether it lives, or can do its work", Args: cobra.NoArgs,
		Long: "Healthcheck asks the daemon at --listen for /healthz, or with --ready for /readyz, and\n" +
			"prints what is missing. It is for container images, which have neither curl nor shell.\n\n" +
			"Exit status: 0 yes, 1 no or no answer.",
		Example: "  sitemon healthcheck\n  sitemon healthcheck --ready --listen 127.0.0.1:8081",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.settings(cmd)
			if err != nil {
				return err
			}
			return a.healthcheck(cmd.Context(), s, ready)
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it can do its role's work now")
	return cmd
}

func (a *app) healthcheck(ctx context.Context, s config.Settings, ready bool) error {
	path := "/healthz"
	if ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme(s)+"://"+reachable(s.Listen)+path, nil)
	if err != nil {
		return fmt.Errorf("ask the daemon at %s: %w", s.Listen, err)
	}
	client := http.Client{Transport: ownDaemon(s)}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no daemon answers: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		fmt.Fprintln(a.out, "ok")
		return nil
	}
	var missing []string
	if err := json.NewDecoder(resp.Body).Decode(&missing); err != nil || len(missing) == 0 {
		return fmt.Errorf("the daemon answers with status %s", resp.Status)
	}
	return fmt.Errorf("not ready: %s", strings.Join(missing, "; "))
}
