package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// KafkaVersion is the version of Kafka that [FetchKafka] gets.
const KafkaVersion = "4.1.0"

// kafkaPOM lists the Maven artifacts that make a broker.
const kafkaPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sitemon</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + KafkaVersion + `</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>` + KafkaVersion + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// kafkaFolder is where Kafka's artifacts are kept for all users of the package.
func kafkaFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for Kafka's artifacts: %w", err)
	}
	return filepath.Join(cache, "sitemon", "kafka-"+KafkaVersion), nil
}

// FindKafka returns the folder of Kafka's artifacts, if they have been fetched.
func FindKafka() (string, error) {
	dir, err := kafkaFolder()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the artifacts of Kafka %s are %w", KafkaVersion, ErrMissing)
	} else if err != nil {
		return "", fmt.Errorf("find Kafka's artifacts: %w", err)
	}
	return dir, nil
}

// FetchKafka gets Kafka's artifacts with Maven, unless they are there, and
// returns their folder, which is there whole or not at all.
func FetchKafka(ctx context.Context) (string, error) {
	if dir, err := FindKafka(); !errors.Is(err, ErrMissing) {
		return dir, err
	}
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return "", fmt.Errorf("the artifacts of Kafka %s, and Maven (mvn) to fetch them, are %w", KafkaVersion, ErrMissing)
	}
	dir, err := kafkaFolder()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make the folder for Kafka's artifacts: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return "", fmt.Errorf("make a folder to fetch Kafka into: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(kafkaPOM), 0o600); err != nil {
		return "", fmt.Errorf("write the list of Kafka's artifacts: %w", err)
	}
	cmd := exec.CommandContext(ctx, maven, "-B", "-q", "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(work, "libs"))
	cmd.Dir, cmd.WaitDelay = work, time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Kafka with Maven: %w; it printed:\n%s", err, out)
	}
	err = os.Rename(filepath.Join(work, "libs"), dir)
	if _, other := FindKafka(); err != nil && other != nil { // else another process was quicker
		return "", fmt.Errorf("put Kafka's artifacts in place: %w", err)
	}
	return dir, nil
}

// FindJava returns the path of the Java launcher.
func FindJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name := "java"
		if runtime.GOOS == "windows" {
			name = "java.exe"
		}
		if path := filepath.Join(home, "bin", name); isFile(path) {
			return path, nil
		}
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("java (17 or newer) is %w", ErrMissing)
	}
	return path, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
