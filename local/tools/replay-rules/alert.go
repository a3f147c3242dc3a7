package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// resendDelay is the default of Prometheus' option --rules.alert.resend-delay.
const resendDelay = time.Minute

// alert is one alerting rule in a group of its own, so that evaluations that change nothing can be left out.
type alert struct {
	group *rules.Group
	rule  *rules.AlertingRule
	// vector is what the rule's expression returns in the evaluation that runs.
	vector promql.Vector
	now    time.Time
	found  *collection
}

// load reads the alerting rules of rule files.
func load(settings settings, files []string) ([]*alert, error) {
	parse := parser.NewParser(parser.Options{})
	logger := slog.New(slog.DiscardHandler)
	metrics := rules.NewGroupMetrics(nil)
	external := labels.FromMap(settings.external)
	var all []*alert
	for _, file := range files {
		content, problems := rulefmt.ParseFile(file, false, model.UTF8Validation, parse, logger)
		if len(problems) > 0 {
			return nil, errors.Join(problems...)
		}
		for _, group := range content.Groups {
			interval := time.Duration(group.Interval)
			if interval == 0 {
				interval = settings.interval
			}
			for _, rule := range group.Rules {
				if rule.Alert == "" {
					continue
				}
				expression, err := parse.ParseExpr(rule.Expr)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", file, rule.Alert, err)
				}
				one := &alert{found: newCollection(settings)}
				// Annotations decide nothing here, and expanding them is most of the time of an evaluation.
				one.rule = rules.NewAlertingRule(rule.Alert, expression, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
					rules.FromMaps(group.Labels, rule.Labels), labels.EmptyLabels(), external, "", false, logger)
				one.group = rules.NewGroup(rules.GroupOptions{
					Name: group.Name, File: filepath.Join(settings.folder, filepath.Base(file)), Interval: interval, Limit: group.Limit,
					Rules: []rules.Rule{one.rule},
					Opts: &rules.ManagerOptions{
						QueryFunc:   func(context.Context, string, time.Time) (promql.Vector, error) { return one.vector, nil },
						NotifyFunc:  func(_ context.Context, _ string, alerts ...*rules.Alert) { one.found.add(one.now, alerts) },
						Appendable:  nowhere{},
						Logger:      logger,
						ResendDelay: resendDelay,
						Metrics:     metrics,
					},
				})
				all = append(all, one)
			}
		}
	}
	return all, nil
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

// replay evaluates the rule at every instant at which the server does.
func (a *alert) replay(ctx context.Context, server *server, settings settings) result {
	started := time.Now()
	spent := cost{Rule: a.rule.Name()}
	interval := a.group.Interval()
	first := a.group.EvalTimestamp(time.UnixMilli(settings.from).UnixNano())
	for first.UnixMilli() < settings.from {
		first = first.Add(interval)
	}
	steps := newSteps(first, time.UnixMilli(settings.until), interval)
	err := server.read(ctx, a.rule.Query().String(), steps, &spent, func(at time.Time, vector promql.Vector) error {
		// An evaluation without samples and without alerts changes nothing.
		if len(vector) == 0 && a.rule.ActiveAlertsCount() == 0 {
			return nil
		}
		a.vector, a.now = vector, at
		a.group.Eval(ctx, at)
		return a.rule.LastError()
	})
	spent.Seconds = time.Since(started).Seconds()
	if err != nil {
		spent.Error = err.Error()
		return result{cost: spent}
	}
	return result{episodes: a.found.episodes, cost: spent}
}

// nowhere takes no samples: only the rules' state counts here.
type nowhere struct{}

func (nowhere) Appender(context.Context) storage.Appender { return noSamples{} }

type noSamples struct{ storage.Appender }

func (noSamples) SetOptions(*storage.AppendOptions) {}
func (noSamples) Commit() error                     { return nil }
