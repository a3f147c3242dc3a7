// Evaluates alerting rules over recorded data with Prometheus' own rules package: `for`, `keep_firing_for`, labels and
// resending are its code, not a copy.
//
// Each expression is read by range queries, whose steps are the instants at which the server itself evaluates the rule's
// group. Writes one line for each alert episode, and one for each rule with what it cost.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	settings := settings{external: map[string]string{}}
	flag.StringVar(&settings.url, "url", "http://127.0.0.1:9090", "Prometheus' `URL`.")
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
	url, folder             string
	from, until             int64
	interval, timeout       time.Duration
	concurrency, maxSamples int
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
	alerts, err := load(settings, files)
	if err != nil {
		return err
	}
	results := make(chan result)
	turns := make(chan struct{}, max(settings.concurrency, 1))
	for _, one := range alerts {
		go func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			results <- one.replay(ctx, server, settings)
		}()
	}
	out := json.NewEncoder(os.Stdout)
	for range alerts {
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
