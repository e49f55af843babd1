package web

import (
	"context"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/slo"
)

// sloJSON is a site's objective and what is left of its error budget now.
type sloJSON struct {
	Target float64 `json:"target"` // percent
	// WindowS is the length of the window that the objective is about.
	WindowS float64 `json:"window_s"`
	availability.Figure
	BudgetS float64 `json:"budget_s"` // of bad time in the window
	Left    float64 `json:"budget_left"`
	// BurnRate is that of the last hour: 1 spends the budget in exactly the window.
	BurnRate float64 `json:"burn_rate"`
}

// sloOf computes a site's objective; nil if it has none.
func (s *Server) sloOf(ctx context.Context, st *sitemon.SiteState) (*sloJSON, error) {
	if st.Rules == nil || st.Rules.SLO == nil {
		return nil, nil
	}
	o := slo.Objective{Target: st.Rules.SLO.Target, Window: st.Rules.SLO.Window}
	all, err := s.History.Availabilities(ctx, []string{st.Name}, s.Now(), []time.Duration{o.Window, time.Hour})
	if err != nil {
		return nil, err
	}
	figures := all[st.Name]
	if len(figures) < 2 {
		return nil, nil
	}
	return &sloJSON{
		Target: o.Target, WindowS: o.Window.Seconds(), Figure: figures[0],
		BudgetS: o.Budget().Round(time.Millisecond).Seconds(), Left: o.Left(figures[0]), BurnRate: o.BurnRate(figures[1]),
	}, nil
}
