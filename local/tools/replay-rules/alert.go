package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// alert is one alerting rule in a group of its own, so that evaluations that change nothing can be left out.
type alert struct {
	group *rules.Group
	rule  *rules.AlertingRule
	reads []selector
	// readsValue tells whether a label of the rule is a template, which may read the value.
	readsValue bool
	// vector is what the rule's expression returns in the evaluation that runs.
	vector promql.Vector
	now    time.Time
	// due is when the next evaluation changes or sends anything, if the expression's result keeps its series.
	due   time.Time
	found *collection
}

func (a *alert) options(settings settings, metrics *rules.Metrics, logger *slog.Logger) *rules.ManagerOptions {
	return &rules.ManagerOptions{
		QueryFunc:   func(context.Context, string, time.Time) (promql.Vector, error) { return a.vector, nil },
		NotifyFunc:  func(_ context.Context, _ string, alerts ...*rules.Alert) { a.found.add(a.now, alerts) },
		Appendable:  nowhere{},
		Logger:      logger,
		ResendDelay: settings.resend,
		Metrics:     metrics,
	}
}

// result is what one rule would have done, and what it took to find out.
type result struct {
	episodes []*episode
	cost     cost
}

type cost struct {
	Rule    string  `json:"rule"`
	Queries int     `json:"queries"`
	Samples int     `json:"samples"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error"`
}

// evaluations are the instants at which the server evaluates a group.
func evaluations(group *rules.Group, from, until time.Time) steps {
	first := group.EvalTimestamp(from.UnixNano())
	for first.Before(from) {
		first = first.Add(group.Interval())
	}
	return newSteps(first, until, group.Interval())
}

// replay evaluates the rule at every instant at which the server does.
func (a *alert) replay(ctx context.Context, source source, failed map[string]error, settings settings) result {
	started := time.Now()
	spent := cost{Rule: a.rule.Name()}
	err := a.missing(failed)
	if err == nil {
		steps := evaluations(a.group, time.UnixMilli(settings.from), time.UnixMilli(settings.until))
		err = read(ctx, source, a.rule.Query().String(), steps, &spent, func(at time.Time, vector promql.Vector) error {
			if at.Before(a.due) && a.sameAlerts(vector) {
				return nil
			}
			a.vector, a.now = vector, at
			a.group.Eval(ctx, at)
			a.due = a.nextChange(settings)
			return a.rule.LastError()
		})
	}
	spent.Seconds = time.Since(started).Seconds()
	if err != nil {
		spent.Error = err.Error()
		return result{cost: spent}
	}
	return result{episodes: a.found.episodes, cost: spent}
}

// never is after every replay.
var never = time.Unix(1<<40, 0)

// nextChange is when an evaluation has an effect, though the expression's result keeps its series: an alert's `for` or
// `keep_firing_for` is over, or the alert is sent again.
func (a *alert) nextChange(settings settings) time.Time {
	due := never
	a.rule.ForEachActiveAlert(func(one *rules.Alert) {
		var next time.Time
		switch {
		case one.State == rules.StatePending:
			next = one.ActiveAt.Add(a.rule.HoldDuration())
		case !one.KeepFiringSince.IsZero() && one.ResolvedAt.IsZero():
			next = one.KeepFiringSince.Add(a.rule.KeepFiringFor())
		}
		// It is sent by the first evaluation after, not at, this time.
		if resend := one.LastSentAt.Add(settings.resend + 1); one.State != rules.StatePending && (next.IsZero() || resend.Before(next)) {
			next = resend
		}
		if next.Before(due) {
			due = next
		}
	})
	return due
}

// sameAlerts tells whether a result makes the alerts of the result before. Values matter only to labels made from them.
func (a *alert) sameAlerts(vector promql.Vector) bool {
	return slices.EqualFunc(vector, a.vector, func(one, other promql.Sample) bool {
		return (!a.readsValue || one.F == other.F) && labels.Equal(one.Metric, other.Metric)
	})
}

// readsAny tells whether the alert reads a series that is recorded here.
func (a *alert) readsAny(recorded recordings) bool {
	return slices.ContainsFunc(a.reads, func(one selector) bool { return len(recordedNames(one.matchers, recorded)) > 0 })
}

// missing is the reason why a series that the alert reads is not there.
func (a *alert) missing(failed map[string]error) error {
	for _, one := range a.reads {
		for _, name := range recordedNames(one.matchers, failed) {
			return fmt.Errorf("reads %w", failed[name])
		}
	}
	return nil
}

// nowhere takes no samples: only the rules' state counts here.
type nowhere struct{}

func (nowhere) Appender(context.Context) storage.Appender { return noSamples{} }

type noSamples struct{ storage.Appender }

func (noSamples) SetOptions(*storage.AppendOptions) {}
func (noSamples) Commit() error                     { return nil }
