package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

const (
	// maxPoints is the most steps that Prometheus allows in one range query.
	maxPoints = 11_000
	// wantedSamples are about the samples of one answer, so that it fits into memory.
	wantedSamples = 1_000_000
	// growth is how many times more steps a query may ask for than the one before.
	growth = 32
)

// server answers range queries.
type server struct {
	api      v1.API
	settings settings
}

func connect(settings settings) (*server, error) {
	client, err := api.NewClient(api.Config{Address: settings.url})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", settings.url, err)
	}
	return &server{api: v1.NewAPI(client), settings: settings}, nil
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

// read calls the function with the expression's result at every step, in their order.
func (s *server) read(
	ctx context.Context, expression string, steps steps, spent *cost, each func(time.Time, promql.Vector) error,
) error {
	size := 1 // the number of series is unknown, and may be a million
	most := maxPoints
	for done := 0; done < steps.count; {
		size = min(size, steps.count-done)
		matrix, err := s.query(ctx, expression, v1.Range{
			Start: steps.at(done), End: steps.at(done + size - 1), Step: time.Duration(steps.interval) * time.Millisecond,
		})
		spent.Queries++
		if err != nil && size > 1 && strings.Contains(err.Error(), "too many samples") {
			most = size / 2
			size = most
			continue
		}
		if err != nil {
			return err
		}
		vectors, samples := byStep(matrix, steps.first+int64(done)*steps.interval, steps.interval, size)
		spent.Samples += samples
		if spent.Samples > s.settings.maxSamples {
			return fmt.Errorf("the expression returns more than %d samples", s.settings.maxSamples)
		}
		for index, vector := range vectors {
			if err := each(steps.at(done+index), vector); err != nil {
				return err
			}
		}
		done += size
		size = next(size, samples, most)
	}
	return nil
}

// next is the number of steps of the next query, after one with so many samples; it is at most `most`.
func next(size, samples, most int) int {
	grown := min(size*growth, most)
	if samples == 0 {
		return grown
	}
	return min(grown, max(wantedSamples*size/samples, 1))
}

func (s *server) query(ctx context.Context, expression string, span v1.Range) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, s.settings.timeout)
	defer cancel()
	value, _, err := s.api.QueryRange(ctx, expression, span, v1.WithTimeout(s.settings.timeout))
	if err != nil {
		return nil, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("the answer is a %v, not a matrix", value.Type())
	}
	return matrix, nil
}

// byStep turns series into one vector a step, and counts the samples.
func byStep(matrix model.Matrix, first, interval int64, count int) ([]promql.Vector, int) {
	vectors := make([]promql.Vector, count)
	samples := 0
	for _, series := range matrix {
		metric := labelsOf(series.Metric)
		for _, one := range series.Values {
			index := (int64(one.Timestamp) - first) / interval
			vectors[index] = append(vectors[index], promql.Sample{T: int64(one.Timestamp), F: float64(one.Value), Metric: metric})
		}
		// An alert needs no value of a native histogram, only its presence.
		for _, one := range series.Histograms {
			index := (int64(one.Timestamp) - first) / interval
			vectors[index] = append(vectors[index], promql.Sample{T: int64(one.Timestamp), Metric: metric})
		}
		samples += len(series.Values) + len(series.Histograms)
	}
	return vectors, samples
}

func labelsOf(metric model.Metric) labels.Labels {
	builder := labels.NewScratchBuilder(len(metric))
	for name, value := range metric {
		builder.Add(string(name), string(value))
	}
	builder.Sort()
	return builder.Labels()
}
