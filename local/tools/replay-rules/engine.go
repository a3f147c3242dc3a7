package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

const (
	// lookBack is how long a sample counts; Prometheus' default.
	lookBack = 5 * time.Minute
	// wantedRaw are about the raw samples of one query of the engine, in memory.
	wantedRaw = 3_000_000
	// rawPerResult is how many more samples an expression may read than it returns: most sum over many series.
	rawPerResult = 10
	// spare is read before what a selector needs, so that other selectors of the expression find it, too.
	spare = 10 * time.Minute
)

// engine evaluates expressions here, by Prometheus' own engine, over recorded samples and series that rules record here.
type engine struct {
	settings settings
	promql   *promql.Engine
	raw      samples
	// recorded are the series of rules that were evaluated here, by name.
	recorded map[string][]*stored
}

func newEngine(settings settings, raw samples) *engine {
	return &engine{settings: settings, raw: raw, recorded: map[string][]*stored{}, promql: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: settings.timeout, LookbackDelta: lookBack,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return settings.interval.Milliseconds() },
	})}
}

// evaluation is the engine's work for one rule.
type evaluation struct {
	*engine
	// end is that of the query that runs; more is not read.
	end   int64
	taken int
	cache map[string]cached
	// late are recorded series whose sample of an evaluation does not exist yet when the rule is evaluated.
	late map[string]bool
	// held is the end of the steps that are evaluated one by one; what is read for one of them is kept for the others.
	held int64
}

type cached struct {
	from, until int64
	series      []*stored
}

func (e *engine) evaluation() *evaluation { return &evaluation{engine: e} }

func (e *evaluation) limit() int { return e.settings.maxSamples * rawPerResult }

// next does not ask for fewer steps: most of what a query reads may be the window before its first step.
func (e *evaluation) next(size, samples int) int { return max(size*wantedRaw/samples, size) }

func (e *evaluation) query(ctx context.Context, expression string, steps steps) ([]promql.Vector, int, error) {
	e.end, e.taken = max(steps.at(steps.count-1).UnixMilli(), e.held), 0
	if e.held == 0 || e.cache == nil {
		e.cache = map[string]cached{}
	}
	every := time.Duration(steps.interval) * time.Millisecond
	query, err := e.promql.NewRangeQuery(ctx, e, nil, expression, steps.at(0), steps.at(steps.count-1), every)
	if err != nil {
		return nil, 0, err
	}
	defer query.Close()
	matrix, err := query.Exec(ctx).Matrix()
	if err != nil {
		return nil, 0, err
	}
	vectors := steps.vectors()
	for _, series := range matrix {
		for _, one := range series.Floats {
			steps.put(vectors, promql.Sample{T: one.T, F: one.F, Metric: series.Metric})
		}
		e.taken += len(series.Floats)
	}
	return vectors, e.taken, nil
}

// Querier makes it a storage of the engine.
func (e *evaluation) Querier(int64, int64) (storage.Querier, error) { return e, nil }

func (e *evaluation) Select(
	ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher,
) storage.SeriesSet {
	var found []*stored
	for _, name := range recordedNames(matchers, e.recorded) {
		for _, one := range e.recorded[name] {
			if matches(one.labels, matchers) {
				if e.late[name] {
					one = one.before(hints.End)
				}
				found = append(found, one)
			}
		}
	}
	if !onlyRecorded(matchers, e.recorded) {
		raw, err := e.read(ctx, hints.Start, hints.End, matchers)
		if err != nil {
			return &selection{err: err, at: -1}
		}
		for _, one := range raw {
			if _, here := e.recorded[one.labels.Get(model.MetricNameLabel)]; !here {
				found = append(found, one)
			}
		}
	}
	return selected(found, sorted)
}

func (e *evaluation) read(ctx context.Context, from, until int64, matchers []*labels.Matcher) ([]*stored, error) {
	name := fmt.Sprint(matchers)
	known, ok := e.cache[name]
	if ok && known.from <= from && known.until >= until {
		return known.series, nil
	}
	from, until = from-spare.Milliseconds(), max(until, e.end)
	series, err := e.raw.read(ctx, from, until, matchers)
	if err != nil {
		return nil, err
	}
	for _, one := range series {
		e.taken += len(one.times)
	}
	e.cache[name] = cached{from, until, series}
	return series, nil
}

// recordedNames are the names of series recorded here that a selector may find.
func recordedNames[T any](matchers []*labels.Matcher, recorded map[string]T) []string {
	var names []string
	for name := range recorded {
		if !slices.ContainsFunc(matchers, func(one *labels.Matcher) bool {
			return one.Name == model.MetricNameLabel && !one.Matches(name)
		}) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func onlyRecorded[T any](matchers []*labels.Matcher, recorded map[string]T) bool {
	return slices.ContainsFunc(matchers, func(one *labels.Matcher) bool {
		_, here := recorded[one.Value]
		return here && one.Name == model.MetricNameLabel && one.Type == labels.MatchEqual
	})
}

func (e *evaluation) LabelValues(
	context.Context, string, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (e *evaluation) LabelNames(
	context.Context, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (e *evaluation) Close() error { return nil }

// selector is one of an expression, with how far before an evaluation it reads.
type selector struct {
	matchers []*labels.Matcher
	reach    time.Duration
}

func selectors(expression parser.Expr) []selector {
	var found []selector
	parser.Inspect(expression, func(node parser.Node, path []parser.Node) error {
		one, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		reach := lookBack + max(one.OriginalOffset, 0)
		for _, above := range path {
			switch above := above.(type) {
			case *parser.MatrixSelector:
				reach += above.Range
			case *parser.SubqueryExpr:
				reach += above.Range + max(above.OriginalOffset, 0)
			}
		}
		found = append(found, selector{one.LabelMatchers, reach})
		return nil
	})
	return found
}
