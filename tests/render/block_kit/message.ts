// What a Slack message and a modal may be, as @slack/types says it. The file schema.json is made of it.
import type { KnownBlock, MessageMetadata, ModalView } from '@slack/types';

export interface Message {
  text: string;
  blocks: KnownBlock[];
  metadata?: MessageMetadata;
  modal?: ModalView;
}
