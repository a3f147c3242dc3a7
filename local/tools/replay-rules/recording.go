package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
)

// heldSteps are about half a day of evaluations every 30 seconds.
const heldSteps = 1500

// recording is one recording rule that is evaluated here.
type recording struct {
	group *rules.Group
	rule  *rules.RecordingRule
	reads []selector
	// late are the series that it reads from the evaluation before; its own is one of them.
	late map[string]bool
	// from is the first time that a rule needs.
	from time.Time
}

// recordings are the recording rules of all files, by the name of their series.
type recordings map[string][]*recording

// needs sets from when on the rules must record what these selectors read from a time on.
func (r recordings) needs(reads []selector, from time.Time, depth int) {
	// Rules that record from their own result have no end.
	if depth > len(r) {
		return
	}
	for _, one := range reads {
		for _, name := range recordedNames(one.matchers, r) {
			for _, rule := range r[name] {
				// What reads itself has no first time that it needs.
				if !rule.from.IsZero() && rule.late[name] {
					continue
				}
				if start := from.Add(-one.reach); rule.from.IsZero() || start.Before(rule.from) {
					rule.from = start
					r.needs(rule.reads, start, depth+1)
				}
			}
		}
	}
}

// record evaluates the rules that anything needs, each after those that it reads. Gives the names that cannot be
// recorded, with the reason.
func (r recordings) record(ctx context.Context, engine *engine, until time.Time) (map[string]error, []cost) {
	failed := map[string]error{}
	var costs []cost
	var visit func(name string, above map[string]bool) error
	visit = func(name string, above map[string]bool) error {
		if above[name] {
			return fmt.Errorf("%s is recorded from its own result through others, which cannot be replayed", name)
		}
		if _, done := engine.recorded[name]; done {
			return failed[name]
		}
		above[name] = true
		defer delete(above, name)
		series := []*stored{}
		for _, rule := range r[name] {
			if rule.from.IsZero() {
				continue
			}
			for _, read := range rule.reads {
				for _, below := range recordedNames(read.matchers, r) {
					if below == name && rule.late[name] {
						continue
					}
					if err := visit(below, above); err != nil && failed[name] == nil {
						failed[name] = err
					}
				}
			}
			if failed[name] != nil {
				break
			}
			found, spent, err := rule.record(ctx, engine, until)
			costs = append(costs, spent)
			if err != nil {
				failed[name] = fmt.Errorf("%s cannot be recorded: %w", name, err)
				break
			}
			series = append(series, found...)
		}
		engine.recorded[name] = series
		return failed[name]
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if err := visit(name, map[string]bool{}); err != nil && failed[name] == nil {
			failed[name] = err
		}
	}
	return failed, costs
}

func (r *recording) record(ctx context.Context, engine *engine, until time.Time) ([]*stored, cost, error) {
	started := time.Now()
	spent := cost{Rule: r.rule.Name()}
	known := map[uint64]*stored{}
	var found []*stored
	var before map[uint64]bool
	kept := 0
	steps := evaluations(r.group, r.from, until)
	query := read
	if len(r.late) > 0 {
		query = readEach
	}
	here := engine.evaluation()
	here.late = r.late
	own := r.rule.Name()
	if r.late[own] {
		defer func() { delete(engine.recorded, own) }()
		engine.recorded[own] = nil
	}
	err := query(ctx, here, r.rule.Query().String(), steps, &spent, func(at time.Time, vector promql.Vector) error {
		answer := func(context.Context, string, time.Time) (promql.Vector, error) { return vector, nil }
		result, err := r.rule.Eval(ctx, 0, at, answer, nil, 0)
		if err != nil {
			return err
		}
		now := make(map[uint64]bool, len(result))
		for _, one := range result {
			hash := one.Metric.Hash()
			now[hash] = true
			series, ok := known[hash]
			if !ok {
				series = &stored{labels: one.Metric}
				known[hash] = series
				found = append(found, series)
				if r.late[own] {
					engine.recorded[own] = found
				}
			}
			series.add(at.UnixMilli(), one.F)
		}
		for hash := range before {
			if !now[hash] {
				known[hash].add(at.UnixMilli(), math.Float64frombits(value.StaleNaN))
			}
		}
		before = now
		if kept += len(result); kept > engine.settings.maxSamples {
			return fmt.Errorf("the rule records more than %d samples", engine.settings.maxSamples)
		}
		return nil
	})
	spent.Seconds = time.Since(started).Seconds()
	if err != nil {
		spent.Error = err.Error()
	}
	return found, spent, err
}

// readEach reads one step after the other, because each depends on the one before; samples are read for many at once.
func readEach(
	ctx context.Context, source source, expression string, steps steps, spent *cost, each func(time.Time, promql.Vector) error,
) error {
	here := source.(*evaluation)
	for done := 0; done < steps.count; done++ {
		if done%heldSteps == 0 {
			here.cache, here.held = nil, steps.at(min(done+heldSteps, steps.count)-1).UnixMilli()
		}
		vectors, samples, err := here.query(ctx, expression, steps.part(done, 1))
		spent.Queries++
		if err != nil {
			return err
		}
		if spent.Samples += samples; spent.Samples > here.limit() {
			return fmt.Errorf("the expression returns more than %d samples", here.limit())
		}
		if err := each(steps.at(done), vectors[0]); err != nil {
			return err
		}
	}
	return nil
}

// raw are the selectors of everything that the rules read and none of them records, with how far back all together read.
func (r recordings) raw(reads []selector) [][]*labels.Matcher {
	known := map[string]bool{}
	var found [][]*labels.Matcher
	for _, one := range reads {
		name := fmt.Sprint(one.matchers)
		if !known[name] && !onlyRecorded(one.matchers, r) {
			known[name] = true
			found = append(found, one.matchers)
		}
	}
	return found
}
