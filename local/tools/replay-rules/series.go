package main

import (
	"slices"
	"sort"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// stored is a series in memory, with its stale markers.
type stored struct {
	labels labels.Labels
	times  []int64
	values []float64
}

func (s *stored) add(at int64, value float64) {
	s.times = append(s.times, at)
	s.values = append(s.values, value)
}

// before is the series without its samples from a time on.
func (s *stored) before(at int64) *stored {
	end, _ := slices.BinarySearch(s.times, at)
	return &stored{labels: s.labels, times: s.times[:end], values: s.values[:end]}
}

// Labels and Iterator make it a series of Prometheus' storage.
func (s *stored) Labels() labels.Labels { return s.labels }

func (s *stored) Iterator(chunkenc.Iterator) chunkenc.Iterator { return &cursor{series: s, at: -1} }

// matches tells whether a series is selected.
func matches(own labels.Labels, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(one *labels.Matcher) bool { return !one.Matches(own.Get(one.Name)) })
}

// cursor goes through the samples of a series.
type cursor struct {
	series *stored
	at     int
}

func (c *cursor) here() chunkenc.ValueType {
	if c.at >= len(c.series.times) {
		return chunkenc.ValNone
	}
	return chunkenc.ValFloat
}

func (c *cursor) Next() chunkenc.ValueType {
	c.at = min(c.at+1, len(c.series.times))
	return c.here()
}

func (c *cursor) Seek(at int64) chunkenc.ValueType {
	c.at = max(c.at, 0)
	if left := c.series.times[min(c.at, len(c.series.times)):]; len(left) > 0 && left[0] < at {
		c.at += sort.Search(len(left), func(index int) bool { return left[index] >= at })
	}
	return c.here()
}

func (c *cursor) At() (int64, float64) { return c.series.times[c.at], c.series.values[c.at] }

func (c *cursor) AtHistogram(*histogram.Histogram) (int64, *histogram.Histogram) { return c.AtT(), nil }

func (c *cursor) AtFloatHistogram(*histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return c.AtT(), nil
}

func (c *cursor) AtT() int64 { return c.series.times[c.at] }

func (c *cursor) AtST() int64 { return 0 }

func (c *cursor) Err() error { return nil }

// selection is the answer to one selector.
type selection struct {
	series []*stored
	at     int
	err    error
}

func selected(series []*stored, sorted bool) storage.SeriesSet {
	if sorted {
		slices.SortFunc(series, func(a, b *stored) int { return labels.Compare(a.labels, b.labels) })
	}
	return &selection{series: series, at: -1}
}

func (s *selection) Next() bool {
	s.at++
	return s.at < len(s.series)
}

func (s *selection) At() storage.Series { return s.series[s.at] }

func (s *selection) Err() error { return s.err }

func (s *selection) Warnings() annotations.Annotations { return nil }
