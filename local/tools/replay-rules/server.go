package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

const (
	// maxPoints is the most steps that Prometheus and Loki allow in one range query.
	maxPoints = 11_000
	// wantedSamples are about the samples of one answer, so that it fits into memory.
	wantedSamples = 1_000_000
)

// server answers range queries: a Prometheus, or a Loki, whose API is the same below its own path.
type server struct {
	api      v1.API
	settings settings
}

func connect(settings settings) (*server, error) {
	address := settings.url
	if settings.logs {
		address += "/loki"
	}
	client, err := api.NewClient(api.Config{Address: address})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", settings.url, err)
	}
	return &server{api: v1.NewAPI(client), settings: settings}, nil
}

func (s *server) limit() int { return s.settings.maxSamples }

func (s *server) next(size, samples int) int { return max(wantedSamples*size/samples, 1) }

func (s *server) query(ctx context.Context, expression string, steps steps) ([]promql.Vector, int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.settings.timeout)
	defer cancel()
	span := v1.Range{
		Start: steps.at(0), End: steps.at(steps.count - 1), Step: time.Duration(steps.interval) * time.Millisecond,
	}
	value, _, err := s.api.QueryRange(ctx, expression, span, v1.WithTimeout(s.settings.timeout))
	if err != nil {
		return nil, 0, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, 0, fmt.Errorf("the answer is a %v, not a matrix", value.Type())
	}
	vectors, samples := byStep(matrix, steps)
	return vectors, samples, nil
}

// byStep turns series into one vector a step, and counts the samples.
func byStep(matrix model.Matrix, steps steps) ([]promql.Vector, int) {
	vectors := steps.vectors()
	samples := 0
	for _, series := range matrix {
		metric := labelsOf(series.Metric)
		for _, one := range series.Values {
			steps.put(vectors, promql.Sample{T: int64(one.Timestamp), F: float64(one.Value), Metric: metric})
		}
		// An alert needs no value of a native histogram, only its presence.
		for _, one := range series.Histograms {
			steps.put(vectors, promql.Sample{T: int64(one.Timestamp), Metric: metric})
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
