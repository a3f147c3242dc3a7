// Evaluates alerting rules over recorded data with Prometheus' own rules package: `for`, `keep_firing_for`, labels and
// resending are its code, not a copy.
//
// Each expression is read by range queries, whose steps are the instants at which the server itself evaluates the rule's
// group. Recording rules of the files are evaluated here, over the raw samples of the server, and so are the alerts that
// read their series. Writes one line for each alert episode, and one for each rule with what it cost.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

func main() {
	settings := settings{external: map[string]string{}}
	flag.StringVar(&settings.url, "url", "http://127.0.0.1:9090", "Prometheus' or Loki's `URL`.")
	flag.BoolVar(&settings.logs, "logs", false, "The files are rules of Loki.")
	flag.StringVar(&settings.data, "data", "", "`FILE` of OpenMetrics to read instead of a server.")
	flag.BoolVar(&settings.capture, "capture", false, "Write the samples that the rules read, as OpenMetrics.")
	flag.DurationVar(&settings.resend, "resend", time.Minute, "How often the server sends a firing alert again.")
	flag.StringVar(&settings.folder, "folder", "", "Folder of the rule files on the server, on which evaluation times depend.")
	flag.Int64Var(&settings.from, "from", 0, "Start of the replay, in `milliseconds` since 1970.")
	flag.Int64Var(&settings.until, "until", 0, "End of the replay, in `milliseconds` since 1970.")
	flag.DurationVar(&settings.interval, "interval", time.Minute, "The server's evaluation interval.")
	flag.DurationVar(&settings.timeout, "timeout", 2*time.Minute, "Longest time for one query.")
	flag.IntVar(&settings.concurrency, "concurrency", 2, "Number of queries at once.")
	flag.IntVar(&settings.maxSamples, "max-samples", 20_000_000, "Most samples that one rule may return.")
	labels := flag.String("labels", "{}", "External labels of the server, as `JSON`.")
	flag.Parse()
	err := json.Unmarshal([]byte(*labels), &settings.external)
	if err == nil {
		err = run(context.Background(), settings, flag.Args())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

type settings struct {
	url, data, folder       string
	from, until             int64
	interval, timeout       time.Duration
	resend                  time.Duration
	concurrency, maxSamples int
	logs, capture           bool
	external                map[string]string
}

// run replays every alerting rule of the files, and writes each result when its rule is done.
func run(ctx context.Context, settings settings, files []string) error {
	if settings.from >= settings.until {
		return fmt.Errorf("-from is %d, -until is %d; allowed: from before until", settings.from, settings.until)
	}
	server, err := connect(settings)
	if err != nil {
		return err
	}
	loaded, err := load(settings, files)
	if err != nil {
		return err
	}
	if settings.capture {
		return capture(ctx, newRemote(ctx, settings, server.api), loaded, settings)
	}
	out := json.NewEncoder(os.Stdout)
	here, failed := (*engine)(nil), map[string]error{}
	if settings.data != "" {
		file, err := open(settings.data)
		if err != nil {
			return err
		}
		here = newEngine(settings, file)
	} else if len(loaded.recordings) > 0 {
		here = newEngine(settings, newRemote(ctx, settings, server.api))
	}
	if here != nil {
		var costs []cost
		for _, one := range loaded.alerts {
			loaded.recordings.needs(one.reads, time.UnixMilli(settings.from), 0)
		}
		failed, costs = loaded.recordings.record(ctx, here, time.UnixMilli(settings.until))
		for _, one := range costs {
			if err := out.Encode(one); err != nil {
				return err
			}
		}
	}
	return replay(ctx, out, loaded, settings, func(one *alert) result {
		if here != nil && (settings.data != "" || one.readsAny(loaded.recordings)) {
			return one.replay(ctx, here.evaluation(), failed, settings)
		}
		return one.replay(ctx, server, nil, settings)
	})
}

// replay runs some of the alerts at once.
func replay(ctx context.Context, out *json.Encoder, loaded *loaded, settings settings, run func(*alert) result) error {
	results := make(chan result)
	turns := make(chan struct{}, max(settings.concurrency, 1))
	for _, one := range loaded.alerts {
		go func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			results <- run(one)
		}()
	}
	for range loaded.alerts {
		done := <-results
		for _, one := range done.episodes {
			if err := out.Encode(one); err != nil {
				return err
			}
		}
		if err := out.Encode(done.cost); err != nil {
			return err
		}
	}
	return nil
}

// capture writes the samples that the rules read.
func capture(ctx context.Context, from samples, loaded *loaded, settings settings) error {
	var reads []selector
	for _, one := range loaded.alerts {
		reads = append(reads, one.reads...)
	}
	for _, same := range loaded.recordings {
		for _, one := range same {
			reads = append(reads, one.reads...)
		}
	}
	out := bufio.NewWriter(os.Stdout)
	known, taken := map[string]bool{}, 0
	for _, matchers := range loaded.recordings.raw(reads) {
		found, err := from.read(ctx, settings.from, settings.until, matchers)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(one *stored) bool {
			name := one.labels.String()
			_, recorded := loaded.recordings[one.labels.Get(model.MetricNameLabel)]
			seen := known[name] || recorded
			known[name] = true
			return seen
		})
		for _, one := range found {
			taken += len(one.times)
		}
		if taken > settings.maxSamples {
			return fmt.Errorf("the rules read more than %d samples", settings.maxSamples)
		}
		if err := write(out, found); err != nil {
			return err
		}
	}
	if _, err := out.WriteString("# EOF\n"); err != nil {
		return err
	}
	return out.Flush()
}
