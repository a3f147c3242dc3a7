package main

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
)

// episode is one alert from its first firing to its resolution; the program replay-routes reads the same lines. Times
// are in milliseconds since 1970.
type episode struct {
	Labels map[string]string `json:"labels"`
	Starts int64             `json:"starts"`
	Ends   int64             `json:"ends"`
	Sent   []series          `json:"sent"`
}

// series are times at which an episode is sent, with equal distances; valid 0: as resolved.
type series struct {
	First int64 `json:"first"`
	Count int64 `json:"count"`
	Every int64 `json:"every"`
	Valid int64 `json:"valid"`
}

// collection gathers what a rule sends into episodes.
type collection struct {
	settings settings
	episodes []*episode
	known    map[key]*episode
}

type key struct {
	labels uint64
	starts int64
}

func newCollection(settings settings) *collection {
	return &collection{settings: settings, known: map[key]*episode{}}
}

func (c *collection) add(at time.Time, alerts []*rules.Alert) {
	for _, one := range alerts {
		key := key{one.Labels.Hash(), one.FiredAt.UnixMilli()}
		found, ok := c.known[key]
		if !ok {
			found = &episode{Labels: c.labels(one.Labels), Starts: key.starts, Ends: c.settings.until + 1}
			c.known[key] = found
			c.episodes = append(c.episodes, found)
		}
		valid := one.ValidUntil.Sub(at).Milliseconds()
		if !one.ResolvedAt.IsZero() {
			found.Ends, valid = one.ResolvedAt.UnixMilli(), 0
		}
		found.send(at.UnixMilli(), valid)
	}
}

// labels gives an alert's labels with the server's own, as its notifier sends them.
func (c *collection) labels(own labels.Labels) map[string]string {
	result := own.Map()
	for name, value := range c.settings.external {
		if _, ok := result[name]; !ok {
			result[name] = value
		}
	}
	return result
}

func (e *episode) send(at, valid int64) {
	if len(e.Sent) > 0 {
		last := &e.Sent[len(e.Sent)-1]
		if last.Valid == valid && (last.Count == 1 || at-last.First == last.Count*last.Every) {
			last.Every = (at - last.First) / last.Count
			last.Count++
			return
		}
	}
	e.Sent = append(e.Sent, series{First: at, Count: 1, Valid: valid})
}
