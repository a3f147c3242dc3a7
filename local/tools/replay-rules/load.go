package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

// loaded are the rules of all files.
type loaded struct {
	alerts     []*alert
	recordings recordings
}

// unread is an expression that this program hands on and does not read: LogQL.
type unread struct {
	parser.Expr
	text string
}

func (u unread) String() string { return u.text }

// load reads the rules of rule files.
func load(settings settings, files []string) (*loaded, error) {
	options := parser.NewParser(parser.Options{})
	logger := slog.New(slog.DiscardHandler)
	metrics := rules.NewGroupMetrics(nil)
	external := labels.FromMap(settings.external)
	all := &loaded{recordings: recordings{}}
	for _, file := range files {
		groups, err := groupsOf(file, settings, options, logger)
		if err != nil {
			return nil, err
		}
		for _, group := range groups {
			place := rules.GroupOptions{
				Name: group.Name, File: filepath.Join(settings.folder, filepath.Base(file)), Interval: time.Duration(group.Interval),
				Limit: group.Limit, Opts: &rules.ManagerOptions{Logger: logger, Metrics: metrics},
			}
			if place.Interval == 0 {
				place.Interval = settings.interval
			}
			for position, rule := range group.Rules {
				own := rules.FromMaps(group.Labels, rule.Labels)
				var expression parser.Expr = unread{text: rule.Expr}
				var reads []selector
				if !settings.logs {
					if expression, err = options.ParseExpr(rule.Expr); err != nil {
						return nil, fmt.Errorf("%s: %s%s: %w", file, rule.Alert, rule.Record, err)
					}
					reads = selectors(expression)
				}
				if rule.Record != "" {
					one := &recording{group: rules.NewGroup(place), rule: rules.NewRecordingRule(rule.Record, expression, own), reads: reads}
					one.late = lateNames(group.Rules[position:], reads)
					all.recordings[rule.Record] = append(all.recordings[rule.Record], one)
					continue
				}
				one := &alert{found: newCollection(settings), reads: reads, readsValue: strings.Contains(own.String(), "{{")}
				// Annotations decide nothing here, and expanding them is most of the time of an evaluation.
				one.rule = rules.NewAlertingRule(rule.Alert, expression, time.Duration(rule.For), time.Duration(rule.KeepFiringFor),
					own, labels.EmptyLabels(), external, "", false, logger)
				alone := place
				alone.Rules, alone.Opts = []rules.Rule{one.rule}, one.options(settings, metrics, logger)
				one.group = rules.NewGroup(alone)
				all.alerts = append(all.alerts, one)
			}
		}
	}
	return all, nil
}

// lateNames are the series that a rule reads, and that its group records only afterwards, or with the rule itself.
func lateNames(after []rulefmt.Rule, reads []selector) map[string]bool {
	recorded := map[string]bool{}
	for _, rule := range after {
		if rule.Record != "" {
			recorded[rule.Record] = true
		}
	}
	found := map[string]bool{}
	for _, one := range reads {
		for _, name := range recordedNames(one.matchers, recorded) {
			found[name] = true
		}
	}
	return found
}

func groupsOf(file string, settings settings, options parser.Parser, logger *slog.Logger) ([]rulefmt.RuleGroup, error) {
	if !settings.logs {
		content, problems := rulefmt.ParseFile(file, false, model.UTF8Validation, options, logger)
		if len(problems) > 0 {
			return nil, errors.Join(problems...)
		}
		return content.Groups, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var content rulefmt.RuleGroups
	if err := yaml.Unmarshal(text, &content); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return content.Groups, nil
}
