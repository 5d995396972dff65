#!/bin/sh
exec java -Xmx64m -cp '/opt/kafka/libs/*' -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml org.apache.kafka.tools.BrokerApiVersionsCommand "$@"
