package main

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ownMetrics says what the daemon itself counted since its start: its lateness,
// and the slots it missed.
func ownMetrics(url string) (string, error) {
	client := &http.Client{Timeout: time.Minute} // 100,000 sites are a million series
	res, err := client.Get(url)
	if err != nil {
		return "", fmt.Errorf("read the daemon's metrics: %w", err)
	}
	defer res.Body.Close()
	var bounds, counts []float64
	missed := math.NaN()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		if le, ok := strings.CutPrefix(name, `sitemon_schedule_lateness_seconds_bucket{le="`); ok {
			bound, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64)
			if err != nil {
				return "", fmt.Errorf("bucket %q of the lateness: %w", le, err)
			}
			bounds, counts = append(bounds, bound), append(counts, value)
		}
		if name == "sitemon_slots_missed_total" {
			missed = value
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("read the daemon's metrics: %w", err)
	}
	return fmt.Sprintf("missed %.0f, late p50 %.2f ms, p99 %.2f ms since start",
		missed, 1000*quantile(.5, bounds, counts), 1000*quantile(.99, bounds, counts)), nil
}

// quantile reads a histogram of cumulated counts, straight between two bounds.
func quantile(q float64, bounds, counts []float64) float64 {
	if len(counts) == 0 {
		return math.NaN()
	}
	rank := q * counts[len(counts)-1]
	lower, below := 0.0, 0.0
	for i, count := range counts {
		if count >= rank && count > below {
			if math.IsInf(bounds[i], 1) {
				return lower
			}
			return lower + (bounds[i]-lower)*(rank-below)/(count-below)
		}
		lower, below = bounds[i], count
	}
	return lower
}
