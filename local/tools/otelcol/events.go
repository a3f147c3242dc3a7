// The receiver `k8s_events`, which the Go module proxy does not serve at this version. The Collector's image has the
// original. This one reads the same settings and writes the same records, as far as the platform uses them.

package main

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type eventsConfig struct {
	AuthType   string   `mapstructure:"auth_type"`
	Namespaces []string `mapstructure:"namespaces"`
}

func (config *eventsConfig) Validate() error {
	if config.AuthType != "serviceAccount" && config.AuthType != "kubeConfig" {
		return fmt.Errorf("auth_type is %q; allowed: serviceAccount or kubeConfig", config.AuthType)
	}
	return nil
}

func newEventsFactory() receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType("k8s_events"),
		func() component.Config { return &eventsConfig{AuthType: "serviceAccount"} },
		receiver.WithLogs(newEventsReceiver, component.StabilityLevelAlpha),
	)
}

type eventsReceiver struct {
	config  *eventsConfig
	logger  *zap.Logger
	next    consumer.Logs
	started time.Time
	stop    context.CancelFunc
}

func newEventsReceiver(
	_ context.Context, settings receiver.Settings, config component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	return &eventsReceiver{config: config.(*eventsConfig), logger: settings.Logger, next: next}, nil
}

func (events *eventsReceiver) Start(context.Context, component.Host) error {
	access, err := events.access()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	events.stop, events.started = stop, time.Now()
	namespaces := events.config.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{core.NamespaceAll}
	}
	for _, namespace := range namespaces {
		source := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "events", namespace, fields.Everything())
		_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
			ListerWatcher: source,
			ObjectType:    &core.Event{},
			Handler: cache.ResourceEventHandlerFuncs{
				AddFunc:    func(object any) { events.send(ctx, object) },
				UpdateFunc: func(_, object any) { events.send(ctx, object) },
			},
		})
		go controller.RunWithContext(ctx)
	}
	return nil
}

func (events *eventsReceiver) Shutdown(context.Context) error {
	if events.stop != nil {
		events.stop()
	}
	return nil
}

func (events *eventsReceiver) access() (*rest.Config, error) {
	if events.config.AuthType == "serviceAccount" {
		return rest.InClusterConfig()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
}

// Sends an event that is new. A watch begins with all events of the last hour.
func (events *eventsReceiver) send(ctx context.Context, object any) {
	event, ok := object.(*core.Event)
	if !ok || happened(event).Before(events.started) {
		return
	}
	if err := events.next.ConsumeLogs(ctx, record(event)); err != nil {
		events.logger.Error("an event was refused", zap.Error(err))
	}
}

func happened(event *core.Event) time.Time {
	switch {
	case !event.EventTime.IsZero():
		return event.EventTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	}
	return event.FirstTimestamp.Time
}

func record(event *core.Event) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	object := event.InvolvedObject
	put(resource.Resource().Attributes(), map[string]string{
		"k8s.node.name":               event.Source.Host,
		"k8s.object.kind":             object.Kind,
		"k8s.object.name":             object.Name,
		"k8s.object.uid":              string(object.UID),
		"k8s.object.fieldpath":        object.FieldPath,
		"k8s.object.api_version":      object.APIVersion,
		"k8s.object.resource_version": object.ResourceVersion,
	})
	line := resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	line.SetTimestamp(pcommon.NewTimestampFromTime(happened(event)))
	line.Body().SetStr(event.Message)
	line.SetSeverityText(event.Type)
	switch event.Type {
	case core.EventTypeNormal:
		line.SetSeverityNumber(plog.SeverityNumberInfo)
	case core.EventTypeWarning:
		line.SetSeverityNumber(plog.SeverityNumberWarn)
	}
	put(line.Attributes(), map[string]string{
		"k8s.event.reason":     event.Reason,
		"k8s.event.action":     event.Action,
		"k8s.event.start_time": event.CreationTimestamp.String(),
		"k8s.event.name":       event.Name,
		"k8s.event.uid":        string(event.UID),
		"k8s.namespace.name":   object.Namespace,
	})
	if event.Count != 0 {
		line.Attributes().PutInt("k8s.event.count", int64(event.Count))
	}
	return logs
}

func put(attributes pcommon.Map, values map[string]string) {
	for name, value := range values {
		attributes.PutStr(name, value)
	}
}
