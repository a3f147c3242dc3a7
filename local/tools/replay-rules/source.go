package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql"
)

// growth is how many times more steps a query may ask for than the one before.
const growth = 32

// source answers range queries.
type source interface {
	// query gives the result of an expression at every step, and the number of samples that it took.
	query(ctx context.Context, expression string, steps steps) ([]promql.Vector, int, error)
	// next is the number of steps for the next query, after one with so many steps that took so many samples.
	next(size, samples int) int
	// limit is the most samples that all queries of one rule may take.
	limit() int
}

// steps are instants with equal distances, in whole milliseconds, as in the samples of rules.
type steps struct {
	first, interval int64
	count           int
}

func newSteps(first, until time.Time, interval time.Duration) steps {
	every := interval.Milliseconds()
	return steps{first: first.UnixMilli(), interval: every, count: int((until.UnixMilli()-first.UnixMilli())/every) + 1}
}

func (s steps) at(index int) time.Time {
	return time.UnixMilli(s.first + int64(index)*s.interval).UTC()
}

// part gives so many steps from the index on.
func (s steps) part(index, count int) steps {
	return steps{first: s.first + int64(index)*s.interval, interval: s.interval, count: count}
}

// vectors are empty results, one a step.
func (s steps) vectors() []promql.Vector { return make([]promql.Vector, s.count) }

// put adds a sample to the vector of its step. Loki moves the start of a query back to a multiple of its step, and its
// end on to one: a sample right before a step is that step's, and a sample after the last step is left out.
func (s steps) put(vectors []promql.Vector, sample promql.Sample) {
	if index := (sample.T - s.first + s.interval - 1) / s.interval; index >= 0 && index < int64(s.count) {
		vectors[index] = append(vectors[index], sample)
	}
}

// read calls the function with the expression's result at every step, in their order.
func read(
	ctx context.Context, source source, expression string, steps steps, spent *cost, each func(time.Time, promql.Vector) error,
) error {
	size := 1 // the number of series is unknown, and may be a million
	most := maxPoints
	for done := 0; done < steps.count; {
		size = min(size, steps.count-done)
		vectors, samples, err := source.query(ctx, expression, steps.part(done, size))
		spent.Queries++
		if err != nil && size > 1 && strings.Contains(err.Error(), "too many samples") {
			most = size / 2
			size = most
			continue
		}
		if err != nil {
			return err
		}
		spent.Samples += samples
		if spent.Samples > source.limit() {
			return fmt.Errorf("the expression returns more than %d samples", source.limit())
		}
		for index, vector := range vectors {
			if err := each(steps.at(done+index), vector); err != nil {
				return err
			}
		}
		done += size
		grown := min(size*growth, most)
		if samples > 0 {
			grown = min(grown, source.next(size, samples))
		}
		size = grown
	}
	return nil
}
