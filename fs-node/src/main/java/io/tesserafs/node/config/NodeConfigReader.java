package io.tesserafs.node.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Reads a node's YAML file. Strict: an unknown or doubled key is an error, with its line. */
public final class NodeConfigReader {
    private NodeConfigReader() {}

    /**
     * Reads and validates.
     *
     * @throws ConfigException with a one-line message for users
     */
    public static NodeConfig read(Path file) throws ConfigException {
        String text;
        try {
            text = Files.readString(file);
        } catch (NoSuchFileException e) {
            throw failure(file + ": no such file", e);
        } catch (IOException e) {
            throw failure(file + ": cannot be read: " + e.getMessage(), e);
        }
        return parse(text, file.toString());
    }

    static NodeConfig parse(String text, String source) throws ConfigException {
        try {
            @Nullable NodeYaml yaml = mapper().readValue(text, NodeYaml.class);
            if (yaml == null) {
                throw new ConfigException(source + ": the file is empty");
            }
            return yaml.resolve();
        } catch (UnrecognizedPropertyException e) {
            Collection<Object> known = e.getKnownPropertyIds();
            String keys = known == null
                    ? ""
                    : " (known keys here: "
                            + known.stream().map(Object::toString).sorted().collect(Collectors.joining(", ")) + ")";
            throw failure(
                    atKey(source, text, e.getPropertyName(), e.getLocation()) + "unknown key '" + e.getPropertyName()
                            + "'" + keys,
                    e);
        } catch (JsonProcessingException e) {
            throw failure(at(source, e.getLocation()) + describe(e), e);
        } catch (IllegalArgumentException e) {
            throw failure(source + ": " + e.getMessage(), e);
        }
    }

    private static YAMLMapper mapper() {
        SimpleModule units = new SimpleModule().addDeserializer(Duration.class, new DurationDeserializer());
        return YAMLMapper.builder()
                .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .addModule(units)
                .build();
    }

    /** The parser reports where it had looked ahead to, so the line is looked up by the key. */
    private static String atKey(String source, String text, String key, @Nullable JsonLocation lookedAhead) {
        List<String> lines = text.lines().toList();
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).strip().replaceFirst("^- *", "").startsWith(key + ":")) {
                return source + ":" + (i + 1) + ": ";
            }
        }
        return at(source, lookedAhead);
    }

    private static String at(String source, @Nullable JsonLocation location) {
        return location == null || location.getLineNr() < 1
                ? source + ": "
                : source + ":" + location.getLineNr() + ": ";
    }

    /** The cause says it best where our own code refused a value; else Jackson's first line, and the key. */
    private static String describe(JsonProcessingException failure) {
        String key = failure instanceof JsonMappingException mapping
                ? mapping.getPath().stream()
                        .map(step -> step.getFieldName() == null ? "[" + step.getIndex() + "]" : step.getFieldName())
                        .collect(Collectors.joining("."))
                : "";
        String reason = failure.getCause() instanceof IllegalArgumentException refused
                ? String.valueOf(refused.getMessage())
                : String.valueOf(failure.getOriginalMessage())
                        .lines()
                        .findFirst()
                        .orElse("not valid YAML");
        return key.isEmpty() ? reason : key + ": " + reason;
    }

    private static ConfigException failure(String message, Exception cause) {
        ConfigException failure = new ConfigException(message);
        failure.initCause(cause);
        return failure;
    }

    private static final class DurationDeserializer extends StdDeserializer<Duration> {
        private static final long serialVersionUID = 1L;

        DurationDeserializer() {
            super(Duration.class);
        }

        @Override
        public Duration deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            try {
                return Durations.parse(parser.getText());
            } catch (IllegalArgumentException e) {
                throw JsonMappingException.from(parser, String.valueOf(e.getMessage()), e);
            }
        }
    }
}
