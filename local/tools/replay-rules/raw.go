package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/golang/snappy"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	"go.yaml.in/yaml/v3"
)

// samples gives the recorded samples of series, with their stale markers.
type samples interface {
	read(ctx context.Context, from, until int64, matchers []*labels.Matcher) ([]*stored, error)
}

// remote reads the samples of a server by Prometheus' remote read, the only API that has stale markers.
type remote struct {
	settings settings
	// added are the labels that the server adds to each series; its own rules do not see them.
	added map[string]string
}

func newRemote(ctx context.Context, settings settings, api v1.API) *remote {
	result := &remote{settings: settings, added: settings.external}
	// A long-term store has no configuration of this form.
	if answer, err := api.Config(ctx); err == nil {
		var configuration struct {
			Global struct {
				ExternalLabels map[string]string `yaml:"external_labels"`
			} `yaml:"global"`
		}
		if yaml.Unmarshal([]byte(answer.YAML), &configuration) == nil {
			result.added = configuration.Global.ExternalLabels
		}
	}
	return result
}

var matcherTypes = map[labels.MatchType]prompb.LabelMatcher_Type{
	labels.MatchEqual: prompb.LabelMatcher_EQ, labels.MatchNotEqual: prompb.LabelMatcher_NEQ,
	labels.MatchRegexp: prompb.LabelMatcher_RE, labels.MatchNotRegexp: prompb.LabelMatcher_NRE,
}

func (r *remote) read(ctx context.Context, from, until int64, matchers []*labels.Matcher) ([]*stored, error) {
	query := &prompb.Query{StartTimestampMs: from, EndTimestampMs: until}
	for _, one := range matchers {
		query.Matchers = append(query.Matchers, &prompb.LabelMatcher{Type: matcherTypes[one.Type], Name: one.Name, Value: one.Value})
	}
	message, err := (&prompb.ReadRequest{Queries: []*prompb.Query{query}}).Marshal()
	if err != nil {
		return nil, err
	}
	answer, err := r.post(ctx, snappy.Encode(nil, message))
	if err != nil {
		return nil, err
	}
	var response prompb.ReadResponse
	if err := response.Unmarshal(answer); err != nil {
		return nil, err
	}
	var found []*stored
	builder := labels.NewScratchBuilder(0)
	for _, result := range response.Results {
		for _, one := range result.Timeseries {
			if len(one.Histograms) > 0 {
				return nil, fmt.Errorf("%s is a native histogram, which cannot be replayed", one.ToLabels(&builder, nil))
			}
			series := &stored{labels: r.own(one.ToLabels(&builder, nil), matchers)}
			for _, sample := range one.Samples {
				series.add(sample.Timestamp, sample.Value)
			}
			found = append(found, series)
		}
	}
	return found, nil
}

func (r *remote) own(all labels.Labels, matchers []*labels.Matcher) labels.Labels {
	builder := labels.NewBuilder(all)
	for name, value := range r.added {
		asked := slices.ContainsFunc(matchers, func(one *labels.Matcher) bool { return one.Name == name })
		if all.Get(name) == os.Expand(value, func(string) string { return all.Get(name) }) && !asked {
			builder.Del(name)
		}
	}
	return builder.Labels()
}

func (r *remote) post(ctx context.Context, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.settings.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(r.settings.url, "/")+"/api/v1/read", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("X-Prometheus-Remote-Read-Version", "0.1.0")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("remote read: %s: %.200s", answer.Status, bytes.TrimSpace(content))
	}
	return snappy.Decode(nil, content)
}

// captured are the samples of a file that this program wrote.
type captured struct{ series []*stored }

func (c captured) read(_ context.Context, from, until int64, matchers []*labels.Matcher) ([]*stored, error) {
	var found []*stored
	for _, one := range c.series {
		if matches(one.labels, matchers) {
			first, _ := slices.BinarySearch(one.times, from)
			last, _ := slices.BinarySearch(one.times, until+1)
			found = append(found, &stored{labels: one.labels, times: one.times[first:last], values: one.values[first:last]})
		}
	}
	return found, nil
}

// open reads a file of OpenMetrics, in which NaN is a stale marker.
func open(file string) (captured, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return captured{}, err
	}
	parser := textparse.NewOpenMetricsParser(content, labels.NewSymbolTable())
	known := map[string]*stored{}
	var result captured
	for {
		entry, err := parser.Next()
		if err == io.EOF {
			return result, nil
		}
		if err != nil {
			return captured{}, fmt.Errorf("%s: %w", file, err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		name, at, number := parser.Series()
		if at == nil {
			return captured{}, fmt.Errorf("%s: %s has no time", file, name)
		}
		one, ok := known[string(name)]
		if !ok {
			one = &stored{}
			parser.Labels(&one.labels)
			known[string(name)] = one
			result.series = append(result.series, one)
		}
		if math.IsNaN(number) {
			number = math.Float64frombits(value.StaleNaN)
		}
		one.add(*at, number)
	}
}

// escapes are those of OpenMetrics.
var escapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// write gives series as OpenMetrics; a stale marker is NaN.
func write(out io.Writer, series []*stored) error {
	for _, one := range series {
		var own []string
		one.labels.Range(func(label labels.Label) {
			if label.Name != model.MetricNameLabel {
				own = append(own, fmt.Sprintf(`%s="%s"`, label.Name, escapes.Replace(label.Value)))
			}
		})
		name := one.labels.Get(model.MetricNameLabel) + "{" + strings.Join(own, ",") + "}"
		for index, at := range one.times {
			if _, err := fmt.Fprintf(out, "%s %g %d.%03d\n", name, one.values[index], at/1000, at%1000); err != nil {
				return err
			}
		}
	}
	return nil
}
