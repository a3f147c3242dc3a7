// Replays alerts through Alertmanager's own dispatcher, inhibitor, mute windows and notification log, in virtual time.
//
// Reads one alert episode a line (episode.go) and writes one notification a line (notification.go). The clock jumps to
// the next instant at which something happens, so 30 days take seconds. Nothing is sent to any receiver.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // mute windows name time zones, and those of the machine may differ or be missing

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
)

func main() {
	file := flag.String("config", "alertmanager.yml", "Alertmanager's `file`.")
	until := flag.Int64("until", 0, "End of the replay, in `milliseconds` since 1970.")
	flag.Parse()
	inVirtualTime(func(virtual func(func())) error { return replay(*file, time.UnixMilli(*until), virtual) })
}

// replay reads the standard input and writes the standard output; `virtual` runs a function in virtual time.
func replay(file string, until time.Time, virtual func(func())) error {
	logger := slog.New(slog.DiscardHandler)
	features, err := featurecontrol.NewFlags(logger, "")
	if err != nil {
		return err
	}
	compat.InitFromFlags(logger, features)
	configuration, err := config.LoadFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	episodes, err := read(os.Stdin)
	if err != nil {
		return err
	}
	found := &recording{}
	receivers, err := found.receivers(configuration)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	virtual(func() { err = simulate(configuration, receivers, features, logger, episodes, until) })
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	if err := found.write(out); err != nil {
		return err
	}
	return out.Flush()
}

// inVirtualTime calls the program and ends the process.
//
// Go has a virtual clock for tests only (testing/synctest). So the program runs as a test, and ends the process before
// the test's result would be printed.
func inVirtualTime(program func(virtual func(func())) error) {
	os.Args = os.Args[:1] // the test runner reads them, too
	run := func(t *testing.T) {
		err := program(func(body func()) { synctest.Test(t, func(*testing.T) { body() }) })
		if err != nil {
			fmt.Fprintf(os.Stderr, "error: %v\n", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	every := func(string, string) (bool, error) { return true, nil }
	testing.Main(every, []testing.InternalTest{{Name: "replay", F: run}}, nil, nil)
}
